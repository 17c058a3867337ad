"""Label images on disk: read from PNG, TIFF or NPY, written so that no id is lost."""

from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from zoo.errors import DataError
from zoo.images.stored import load

LABEL_SUFFIXES = (".png", ".tif", ".tiff", ".npy", ".bmp", ".gif")


def read_labels(path: str | Path, colours: int = 0) -> NDArray[np.int32]:
    """Read a label image.

    Grey images of any depth (1 to 32 bit) hold ids; palette images are read as their indices, and colour images
    only if they are grey (equal channels), or by their colours. NPY may also hold booleans, or floats that are whole
    numbers. All are turned upright as their orientation tag says, like images.

    Args:
        path: a file with one of `LABEL_SUFFIXES`.
        colours: so many, black not counted, are taken for an id each in an image of 8 bits a channel; black is 0.

    Returns:
        (H, W) int32; 0 is background.

    Raises:
        DataError: the file is missing, unreadable, not one 2-D image, in colour, or holds ids that are
            negative, fractional or beyond int32.
    """
    path = Path(path)
    if path.suffix.lower() not in LABEL_SUFFIXES:
        raise DataError(f"{path}: label images are {', '.join(LABEL_SUFFIXES)} files. Convert it to one of them.")
    if not path.is_file():
        raise DataError(f"{path}: there is no such file.")
    try:
        stored = load(path, indices=True)
    except DataError:
        raise
    except Exception as e:  # Pillow and tifffile let through whatever their codecs raise
        raise DataError(f"{path}: can't be read as a label image ({e}). Check that it is complete.") from e
    array = stored.samples
    if colours and stored.kind == "colour" and array.dtype == np.uint8:
        return _by_colour(array, colours, path)
    return as_labels(array[..., 0] if array.shape[2] == 1 else array, path)


def write_labels(path: str | Path, labels: ArrayLike) -> None:
    """Write a label image: TIFF and NPY as int32, PNG with 8 or 16 bit as its ids need.

    Args:
        path: a .png, .tif, .tiff or .npy file; its folder must exist.
        labels: (H, W) integers from 0 to 2^31 - 1.

    Raises:
        DataError: another format, ids above 65535 in a PNG, or no label map.
    """
    path = Path(path)
    array = _checked(np.asarray(labels), path)
    match path.suffix.lower():
        case ".npy":
            np.save(path, array.astype(np.int32, copy=False))
        case ".tif" | ".tiff":
            tifffile.imwrite(path, array.astype(np.int32, copy=False), compression="zlib")
        case ".png":
            highest = int(array.max())
            if highest > 65535:
                raise DataError(f"{path}: the id {highest} does not fit a 16-bit PNG. Write a .tif or .npy.")
            Image.fromarray(array.astype(np.uint8 if highest < 256 else np.uint16)).save(path)
        case _:
            raise DataError(f"{path}: labels are written as .png, .tif, .tiff or .npy.")


def as_labels(array: NDArray[np.generic], path: Path) -> NDArray[np.int32]:
    """Label map (H, W) int32 of an array read from `path`, which only serves the errors.

    Raises:
        DataError: as `read_labels`.
    """
    return _checked(array, path).astype(np.int32)


def _by_colour(array: NDArray[np.uint8], most: int, path: Path) -> NDArray[np.int32]:
    """(H, W): of (H, W, 3) the number of each colour, in their order."""
    numbers = array.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    found = np.setdiff1d(numbers, 0)
    if len(found) > most:
        raise DataError(
            f"{path}: has {len(found)} colours. Give one colour an object, {most} at most, and black for none."
        )
    return np.where(numbers == 0, 0, np.searchsorted(found, numbers) + 1).astype(np.int32)


def _checked(array: NDArray[np.generic], path: Path) -> NDArray[np.generic]:
    """(H, W) numbers that are labels, of any type."""
    if not array.size:
        raise DataError(f"{path}: holds no pixels. Check that it is complete.")
    if array.ndim == 3 and array.shape[-1] in (2, 3, 4):
        colours = array[..., : 1 if array.shape[-1] == 2 else 3]
        if not (colours == colours[..., :1]).all():
            raise DataError(f"{path}: is a colour image, not a label image. Give an image that holds ids.")
        array = colours[..., 0]
    if array.ndim != 2:
        raise DataError(f"{path}: has the shape {array.shape}. A label image is one (H, W) image.")
    if array.dtype.kind not in "buif":
        raise DataError(f"{path}: holds {array.dtype}. A label image holds integers.")
    if array.dtype.kind == "f" and not np.array_equal(array, np.trunc(array)):
        raise DataError(f"{path}: holds fractions. A label image holds an integer id for each object.")
    if array.min() < 0 or array.max() > np.iinfo(np.int32).max:
        raise DataError(f"{path}: holds ids from {array.min()} to {array.max()}. Ids are 0 to 2147483647.")
    return array

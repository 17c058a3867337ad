"""Reads image and label files of the usual kinds."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from zoo.errors import DataError

SUFFIXES = {".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg", ".npy"}


def read_image(path: Path) -> NDArray[np.uint8]:
    """RGB image (H, W, 3) uint8; an alpha channel is dropped, grey is repeated.

    Raises:
        DataError: unreadable, or not 8 bits a channel.
    """
    array = _read(path, palette=True)
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    if array.ndim != 3 or array.shape[2] not in (3, 4) or array.dtype != np.uint8:
        raise DataError(f"{path}: {array.shape} {array.dtype} is no 8-bit RGB image; convert it")
    return np.ascontiguousarray(array[..., :3])


def read_label(path: Path) -> NDArray[np.integer]:
    """Label image (H, W), any integer type: 0 = background, other values are ids.

    Raises:
        DataError: unreadable, or not one integer channel.
    """
    array: NDArray[Any] = _read(path, palette=False)
    if array.dtype == bool:
        array = array.astype(np.uint8)
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.integer):
        raise DataError(f"{path}: {array.shape} {array.dtype} is no label image; save (H, W) integers")
    return array


def _read(path: Path, palette: bool) -> NDArray[Any]:
    try:
        if path.suffix.lower() == ".npy":
            return np.asarray(np.load(path, allow_pickle=False))
        if path.suffix.lower() in {".tif", ".tiff"}:
            return np.asarray(tifffile.imread(path))
        with Image.open(path) as image:
            # In a label image a palette only colours the ids; in a picture it holds the colours.
            return np.asarray(image.convert("RGB") if palette and image.mode == "P" else image)
    except (OSError, ValueError, UnidentifiedImageError, tifffile.TiffFileError) as error:
        raise DataError(f"{path}: not a readable image ({error}); export it again as PNG or TIFF") from error

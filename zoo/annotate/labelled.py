"""Label images as polygons to import."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zoo.annotate.exports import LARGE
from zoo.annotate.imports import MOST_FEATURES
from zoo.annotate.refused import RefusedError
from zoo.errors import DataError, NotRgbError
from zoo.images.geojson import feature_collection
from zoo.images.labels import read_labels
from zoo.images.tiff import TIFF_SUFFIXES, open_tiff, planes
from zoo.images.unlimited import unlimited

MOST_COLOURS = 5000
"""A photograph has more."""
BEGINNINGS = {
    b"\x89PNG": ".png",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
    b"II+\0": ".tif",
    b"MM\0+": ".tif",
    b"\x93NUMPY": ".npy",
    b"GIF8": ".gif",
    b"BM": ".bmp",
}
"""Of files, whatever they are called."""
_GIVE = "give a PNG, TIFF, NPY, BMP or GIF with one number or colour an object"


def outlined(content: bytes, size: tuple[int, int]) -> dict[str, Any]:
    """A FeatureCollection of the objects of a label image.

    Args:
        content: of a file that `zoo.images.labels.read_labels` reads; in colour, each colour but black is an object.
        size: width and height of the image that it is of.

    Raises:
        RefusedError: it is none, or of another size, or holds too much or nothing.
    """
    suffix = next((each for first, each in BEGINNINGS.items() if content.startswith(first)), None)
    if suffix is None:
        raise RefusedError(422, f"the label image can't be read; {_GIVE}")
    if size[0] * size[1] > LARGE:
        raise RefusedError(413, f"{size[0]} x {size[1]} pixels are too many for a label image; import GeoJSON")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"labels{suffix}"
        path.write_bytes(content)
        labels = _read(path, size)
    count = np.count_nonzero(np.unique(labels))
    if count == 0:
        raise RefusedError(422, "the label image is all 0; give one number an object")
    if count > MOST_FEATURES:
        raise RefusedError(
            413, f"the label image has {count} numbers, more than {MOST_FEATURES}; give one an object, in parts"
        )
    return feature_collection(labels, exact=True)


def _read(path: Path, size: tuple[int, int]) -> NDArray[np.int32]:
    try:
        stated = _stated(path)
    except Exception:  # Pillow and tifffile let through whatever their codecs raise
        raise RefusedError(422, f"the label image can't be read; {_GIVE}") from None
    if stated is not None and stated not in (size, size[::-1]):  # it may be turned by its tag
        raise _of_another_size(stated, size)
    try:
        labels = read_labels(path, MOST_COLOURS)
    except DataError as error:
        wrong = f"{error.wrong}; {_GIVE}" if isinstance(error, NotRgbError) else str(error)
        wrong = wrong.removeprefix(f"{path}: ").replace(str(path), "the file")
        raise RefusedError(422, f"the label image {wrong}") from None
    if labels.shape[::-1] != size:
        raise _of_another_size(labels.shape[::-1], size)
    return labels


def _stated(path: Path) -> tuple[int, int] | None:
    """Width and height, no pixel of which is read; None of a NPY, which takes no more memory than its file."""
    if path.suffix == ".npy":
        return None
    if path.suffix in TIFF_SUFFIXES:
        with open_tiff(path) as file:
            first = planes(file)[0]
            width, height = (first.shape[first.axes.index(axis)] for axis in "XY")
            return width, height
    with unlimited(), Image.open(path) as picture:
        return picture.size


def _of_another_size(given: tuple[int, ...], size: tuple[int, int]) -> RefusedError:
    return RefusedError(
        422,
        f"the label image has {given[0]} x {given[1]} pixels, the image {size[0]} x {size[1]}; give one of the same "
        "size",
    )

"""Masks of whole slides."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_prep.annotations.base import centres
from zoo.errors import DataError
from zoo.images.labels import read_labels
from zoo.images.orientation import upright
from zoo.images.tiff import TIFF_SUFFIXES, open_tiff, planes, tag_orientation
from zoo.store.schema import IGNORE


class MaskSlide:
    """A mask image of a whole slide: 0 is outside, everything else is the region.

    Values are taken, never averaged. A mask may be smaller than its slide by a whole factor, the last row and column
    cut off or filled up; where it does not reach, it counts as 0. Of a pyramid the first image is read.

    A TIFF is unpacked once, strip by strip or tile by tile, into a temporary file of as many bytes as it has pixels, so
    that memory does not grow with it: readers of slides give colours, and none of them reads strips by windows.

    Args:
        path: TIFF, PNG or NPY, one channel.
        size: width and height of the slide in level-0 pixels.
        ignore: the value, if any, that becomes 255.

    Raises:
        DataError: unreadable, no mask, or not of the slide's proportions.
    """

    left_out: Mapping[str, int] = {}

    def __init__(self, path: Path, size: tuple[int, int], ignore: int | None = None) -> None:
        self.mask: NDArray[np.integer] = _tiff(path) if path.suffix.lower() in TIFF_SUFFIXES else read_labels(path)
        self.factor, self.ignore = _factor(path, (self.mask.shape[1], self.mask.shape[0]), size), ignore

    def raster(self, x: int, y: int, width: int, height: int, downsample: float) -> NDArray[np.uint8]:
        """See `Annotation.raster`."""
        values = self.instances(x, y, width, height, downsample)
        label: NDArray[np.uint8] = (values != 0).astype(np.uint8)
        if self.ignore is not None:
            label[values == self.ignore] = IGNORE
        return label

    def instances(self, x: int, y: int, width: int, height: int, downsample: float) -> NDArray[np.int32]:
        """See `Annotation.instances`: ids are the mask's values."""
        columns, has_column = self._places(x, width, downsample, self.mask.shape[1])
        rows, has_row = self._places(y, height, downsample, self.mask.shape[0])
        values = np.zeros((height, width), np.int32)
        values[np.ix_(has_row, has_column)] = self.mask[np.ix_(rows, columns)]
        return values

    def _places(
        self, start: int, count: int, downsample: float, length: int
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        places = np.floor(centres(start, count, downsample) / self.factor).astype(np.int64)
        inside = (places >= 0) & (places < length)
        return places[inside], inside


def _tiff(path: Path) -> NDArray[np.integer]:
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    try:
        with open_tiff(path) as file:
            page = file.pages.first
            every = planes(file)
            # Smaller ones that don't say so are levels of a pyramid all the same.
            pages = sum(each.shape == every[0].shape for each in every)
            if pages == 1 and len(page.shape) == 2 and page.dtype is not None and page.dtype.kind in "bui":
                return upright(np.asarray(page.asarray(out="memmap")), tag_orientation(page))
            found = f"{pages} page(s), {page.dtype} of shape {page.shape}"
    except Exception as error:  # tifffile lets through whatever its codecs raise
        hint = "pip install imagecodecs" if "imagecodecs" in str(error) else "check that it is complete"
        raise DataError(f"{path}: can't be read as a mask ({error}); {hint}") from error
    raise DataError(f"{path}: holds {found}; a mask has one channel of integers")


def _factor(path: Path, mask: tuple[int, int], slide: tuple[int, int]) -> int:
    factor = max(round(slide[0] / mask[0]), 1)
    if any(side not in (whole // factor, -(-whole // factor)) for side, whole in zip(mask, slide, strict=True)):
        raise DataError(
            f"{path}: {mask[0]}x{mask[1]} px is no whole fraction of the slide's {slide[0]}x{slide[1]} px; "
            "is it the mask of another slide?"
        )
    return factor

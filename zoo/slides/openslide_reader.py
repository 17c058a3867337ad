"""Slides through OpenSlide."""

from collections.abc import Callable
from contextlib import suppress
from ctypes import POINTER, ArgumentError, c_uint32
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openslide
from numpy.typing import NDArray
from openslide import lowlevel

from zoo.errors import DataError
from zoo.images.resolution import Resolution, agreed_mpp, resolution
from zoo.slides.reader import WHITE, number, true_downsample, unreadable
from zoo.slides.tiff_facts import check_tiff, tiff_resolutions

OPAQUE = 0xFF000000


class OpenSlideReader:
    """A slide of any format that OpenSlide knows; see `SlideReader`.

    OpenSlide interpolates where a level-0 pixel falls between pixels of a level. Only when a level's reported
    downsample is not the true one (see `true_downsample`) can't every pixel be met: then the nearest place is read,
    at most an eighth of a pixel off for a level of 4, and grey values differ by that.

    Raises:
        DataError: OpenSlide can't open it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._slide = openslide.OpenSlide(path)
        except openslide.OpenSlideUnsupportedFormatError:
            raise DataError(f"{path}: no slide of a format that OpenSlide knows") from None
        except openslide.OpenSlideError as error:
            raise DataError(f"{path}: OpenSlide can't open it: {error}; is it complete?") from None
        # Scanners' own formats have several pages of the slide's size, and say what they are.
        self._plain = self._slide.properties.get("openslide.vendor") == "generic-tiff"
        if self._plain:
            check_tiff(path)
        self.size: tuple[int, int] = self._slide.dimensions
        self._reported: tuple[float, ...] = self._slide.level_downsamples
        levels = zip(self._slide.level_dimensions, self._reported, strict=True)
        self.downsamples = tuple(true_downsample(self.size, size, reported) for size, reported in levels)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Path]]:
        return OpenSlideReader, (self.path,)

    @cached_property
    def stated(self) -> list[Resolution]:
        """See `SlideReader`."""
        properties = self._slide.properties
        x, y = (number(properties.get(name)) for name in ("openslide.mpp-x", "openslide.mpp-y"))
        own = [] if self._plain else resolution("openslide.mpp-x and -y", x, y)  # of plain TIFFs it's the tags'
        return own + tiff_resolutions(self.path)

    @property
    def mpp(self) -> float | None:
        """See `SlideReader`."""
        return agreed_mpp(self.path, self.stated)

    @cached_property
    def magnification(self) -> float | None:
        """The file's objective power."""
        return number(self._slide.properties.get("openslide.objective-power"))

    def read_level(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        """See `SlideReader.read_level`."""
        true, reported = self.downsamples[level], self._reported[level]
        column, row = round(round(x / true) * reported), round(round(y / true) * reported)
        # OpenSlide's own array rather than `read_region`: its picture undoes the premultiplied alpha and is copied
        # twice on the way to RGB, which costs a tenth of decoding JPEG tiles.
        pixels = np.empty((height, width, 4), np.uint8)
        buffer = pixels.ctypes.data_as(POINTER(c_uint32))
        try:
            lowlevel._read_region(self._slide._osr, buffer, column, row, level, width, height)
        except (openslide.OpenSlideError, ArgumentError) as error:
            raise unreadable(self.path, level, x, y, error) from None
        return _rgb(pixels)

    def close(self) -> None:
        """See `SlideReader.close`."""
        with suppress(ArgumentError):  # closed before
            self._slide.close()


def _rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) on white from (H, W, 4) premultiplied ARGB words of a little-endian machine."""
    words = pixels.view(np.uint32)[..., 0]
    if not words.size:
        return np.empty((*words.shape, 3), np.uint8)
    if words.min() < OPAQUE:
        # Premultiplied: what the colour leaves of each pixel is seen through to white.
        pixels[..., :3] += WHITE - pixels[..., 3:]
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB), np.uint8)

"""Reading a slide at any scale."""

from collections.abc import Callable
from math import ceil, floor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.slides.area import NEAR, area_average
from zoo.slides.reader import SlideReader

# Pixels of a level read at once, a side: 16 MB as OpenSlide gives them. It bounds the memory of thumbnails of slides
# with one level, and OpenSlide cuts windows of more than 4096 px itself, between pixels.
BLOCK = 2048
# Scanners of nominally 0.5 um/px give 0.499 or 0.5024: who asks for 1 um wants every second pixel.
CALIBRATION = 0.01


class Slide:
    """A slide read at a requested scale; a context manager; pickled by its path.

    Args:
        reader: an open slide of some backend.
        mpp: micrometres a level-0 pixel, instead of what the file says or doesn't say.
        magnification: of the objective, likewise. Neither is guessed from the other.

    Raises:
        DataError: mpp or magnification isn't positive; the file contradicts itself on its mpp, and none is
            given.
    """

    def __init__(self, reader: SlideReader, mpp: float | None = None, magnification: float | None = None) -> None:
        for name, value in (("mpp", mpp), ("magnification", magnification)):
            if value is not None and not (np.isfinite(value) and value > 0):
                raise DataError(f"{reader.path}: {name} {value} is not above 0; give micrometres a pixel, or e.g. 20")
        self.reader = reader
        self.mpp = reader.mpp if mpp is None else mpp
        self.magnification = reader.magnification if magnification is None else magnification
        self._given = (mpp, magnification)

    def __repr__(self) -> str:
        return f"Slide({str(self.path)!r}, size={self.size}, mpp={self.mpp}, magnification={self.magnification})"

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Slide, (self.reader, *self._given)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the file."""
        self.reader.close()

    @property
    def path(self) -> Path:
        """The slide's file."""
        return self.reader.path

    @property
    def size(self) -> tuple[int, int]:
        """Width, height in level-0 pixels."""
        return self.reader.size

    def downsample(self, *, mpp: float | None = None, magnification: float | None = None) -> float:
        """Level-0 pixels an output pixel, a side, at a scale given as mpp or as magnification.

        Within 1 % of a whole number it is that number: scanners differ by as much from their nominal mpp, and whole
        blocks of pixels are averaged exactly. What the pixels then measure is `slide.mpp * downsample`.

        Raises:
            DataError: the slide's own mpp (magnification) isn't known, the scale is finer than the slide, or not
                exactly one of both is asked for.
        """
        if (mpp is None) == (magnification is None):
            raise DataError(f"{self.path}: ask for a scale by mpp or by magnification, one of them")
        name, wanted, own = ("mpp", mpp, self.mpp) if mpp else ("magnification", magnification, self.magnification)
        if not wanted or wanted < 0:
            raise DataError(f"{self.path}: {name} {wanted} is not above 0; ask for e.g. mpp=1 or magnification=10")
        if own is None:
            other = "magnification" if mpp else "mpp"
            value = getattr(self, other)
            hint = f", or ask by {other} (it is {value:g})" if value else ""
            raise DataError(
                f"{self.path}: asked for {name} {wanted:g}, but the file doesn't tell its own; "
                f"give it: --slide-{name}, open_slide(..., {name}=){hint}"
            )
        factor = wanted / own if mpp else own / wanted
        near = round(factor)
        if near and abs(factor - near) <= CALIBRATION * near:
            return float(near)
        if factor < 1:
            raise DataError(
                f"{self.path}: {name} {wanted:g} is finer than the slide's {own:g}; ask for that or coarser: "
                "pixels aren't made up"
            )
        return factor

    def read(self, x: float, y: float, width: int, height: int, downsample: float = 1.0) -> NDArray[np.uint8]:
        """(height, width, 3): the slide at a scale, averaged over each pixel's area; white outside.

        Output pixel (r, c) is the mean of the nearest finer level over level-0 columns
        [x + c * downsample, x + (c + 1) * downsample), rows alike: the level's own pixels when the scale is the
        level's and x, y lie on its grid. Memory does not grow with `downsample`.

        Args:
            x, y: top-left corner in level-0 pixels.
            width, height: in output pixels.
            downsample: level-0 pixels an output pixel, at least 1; see `Slide.downsample`.

        Raises:
            DataError: the file is damaged there; downsample is below 1, or the size is below 1 px.
        """
        if downsample < 1 - NEAR or width < 1 or height < 1:
            raise DataError(
                f"{self.path}: can't read {width}x{height} px at downsample {downsample:g}; 1 is the least for each"
            )
        finer = [i for i, own in enumerate(self.reader.downsamples) if own <= downsample * (1 + NEAR)]
        level = finer[-1]
        scale = self.reader.downsamples[level]
        factor = downsample / scale
        side = max(1, int(BLOCK / factor))
        if width <= side and height <= side:
            return self._block(level, scale, factor, x / scale, y / scale, width, height)
        image = np.empty((height, width, 3), np.uint8)
        for top in range(0, height, side):
            for left in range(0, width, side):
                place = image[top : top + side, left : left + side]
                u, v = x / scale + left * factor, y / scale + top * factor
                place[:] = self._block(level, scale, factor, u, v, place.shape[1], place.shape[0])
        return image

    def thumbnail(self, side: int = 1024) -> tuple[NDArray[np.uint8], float]:
        """The whole slide (H, W, 3) with its longer side at most `side` px, and its downsample (>= 1)."""
        downsample = max(1.0, max(self.size) / side)
        width, height = (max(1, floor(length / downsample + NEAR)) for length in self.size)
        return self.read(0, 0, width, height, downsample), downsample

    def _block(
        self, level: int, scale: float, factor: float, u: float, v: float, width: int, height: int
    ) -> NDArray[np.uint8]:
        """Output pixels whose top-left corner is u, v in pixels of the level, from one read of it."""
        left, top = (floor(place + NEAR) for place in (u, v))
        right, bottom = (ceil(place - NEAR) for place in (u + width * factor, v + height * factor))
        pixels = self.reader.read_level(level, round(left * scale), round(top * scale), right - left, bottom - top)
        return area_average(pixels, (u - left, v - top), factor, width, height)

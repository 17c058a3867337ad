"""Slides through tiffslide, an optional dependency: tiled TIFFs whose compression OpenSlide doesn't know."""

from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.slides.reader import clip, mean_mpp, number, on_white, true_downsample, unreadable


class TiffSlideReader:
    """A slide of a format that tiffslide knows; see `SlideReader`.

    Raises:
        DataError: tiffslide isn't installed or can't open it, or it isn't 8-bit RGB.
    """

    def __init__(self, path: Path) -> None:
        try:
            from tiffslide import TiffSlide
        except ImportError:
            raise DataError(
                f"{path}: tiffslide, which reads some more TIFFs, isn't installed: pip install 'isegzoo[tiffslide]'"
            ) from None
        self.path = path
        try:
            self._slide: Any = TiffSlide(path)
            self.size: tuple[int, int] = self._slide.dimensions
            self._sizes: tuple[tuple[int, int], ...] = self._slide.level_dimensions
            reported = self._slide.level_downsamples
            properties = self._slide.properties
        except Exception as error:  # tifffile and zarr let through whatever went wrong below them
            raise DataError(f"{path}: tiffslide can't open it: {error or type(error).__name__}") from None
        levels = zip(self._sizes, reported, strict=True)
        self.downsamples = tuple(true_downsample(self.size, size, ratio) for size, ratio in levels)
        self._mpp = [number(properties.get(name)) for name in ("tiffslide.mpp-x", "tiffslide.mpp-y")]
        self.magnification = number(properties.get("tiffslide.objective-power"))

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Path]]:
        return TiffSlideReader, (self.path,)

    @property
    def mpp(self) -> float | None:
        """Mean of the file's mpp-x and mpp-y."""
        return mean_mpp(self.path, *self._mpp)

    def read_level(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        """See `SlideReader.read_level`."""
        start = (round(x / self.downsamples[level]), round(y / self.downsamples[level]))
        bounds = self._sizes[level]
        at, size = clip(start, (width, height), bounds)
        if 0 in size:
            return on_white(np.empty((0, 0, 3), np.uint8), start, start, (width, height))
        # tiffslide floors level-0 pixels times level width over slide width: this is the first that gives `at`.
        place = [ceil(a * full / side) for a, full, side in zip(at, self.size, bounds, strict=True)]
        try:
            part = np.asarray(self._slide.read_region(place, level, size, as_array=True))
        except Exception as error:  # see above
            raise unreadable(self.path, level, x, y, error) from None
        if part.dtype != np.uint8 or part.ndim != 3 or part.shape[2] != 3:
            raise DataError(f"{self.path}: {part.dtype} of {part.shape[2:]} channels; slides are 8-bit RGB")
        return on_white(part, at, start, (width, height))

    def close(self) -> None:
        """See `SlideReader.close`."""
        self._slide.close()

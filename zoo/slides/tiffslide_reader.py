"""Slides through tiffslide, an optional dependency: tiled TIFFs whose compression OpenSlide doesn't know."""

from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.images.resolution import agreed_mpp, resolution
from zoo.images.tiff import open_tiff
from zoo.slides.reader import clip, number, on_white, true_downsample, unreadable
from zoo.slides.tiff_facts import check_tiff, tiff_resolutions


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
        _check_complete(path)
        check_tiff(path)
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
        x, y = (number(properties.get(name)) for name in ("tiffslide.mpp-x", "tiffslide.mpp-y"))
        self.stated = [*resolution("tiffslide.mpp-x and -y", x, y), *tiff_resolutions(path)]
        self.magnification = number(properties.get("tiffslide.objective-power"))

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Path]]:
        return TiffSlideReader, (self.path,)

    @property
    def mpp(self) -> float | None:
        """See `SlideReader`."""
        return agreed_mpp(self.path, self.stated)

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


def _check_complete(path: Path) -> None:
    """What tiffslide leaves out: it would read a TIFF without its last levels, or up to the place where it is cut."""
    length = path.stat().st_size
    try:
        with open_tiff(path) as file:
            ends = [
                start + count
                for page in file.pages
                for start, count in zip(page.aspage().dataoffsets, page.aspage().databytecounts, strict=True)
            ]
            # The directories are a chain; where the last one is missing, the one before still points to it.
            file.filehandle.seek(int(file.pages.next_page_offset or 0))
            chain = file.filehandle.read(file.tiff.offsetsize)
    except (OSError, ValueError, tifffile.TiffFileError) as error:
        raise DataError(f"{path}: tiffslide can't open it: {error}") from None
    if any(chain) or max(ends, default=0) > length:
        raise DataError(f"{path}: an incomplete TIFF: its levels end beyond the end of the file; fetch it again")

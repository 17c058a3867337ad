"""Plain pictures as slides of one level, held in memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.images.reading import IMAGE_SUFFIXES, read_image
from zoo.slides.reader import clip, mean_mpp, on_white, unreadable

MICROMETRES = {2: 25_400.0, 3: 10_000.0}  # TIFF ResolutionUnit: inch, centimetre


class PictureReader:
    """A PNG, JPEG, WebP, BMP, NPY or untiled TIFF; see `SlideReader`. Only a TIFF's resolution tags tell its mpp.

    Raises:
        DataError: not a picture, or a tiled TIFF, which is too large to be held in memory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.suffix.lower() not in IMAGE_SUFFIXES:
            raise DataError(f"{path}: no picture; those end in {', '.join(IMAGE_SUFFIXES)}")
        self.mpp = _tiff_mpp(path) if path.suffix.lower() in (".tif", ".tiff") else None
        self._pixels: NDArray[np.uint8] | None = read_image(path)
        self.size = (self._pixels.shape[1], self._pixels.shape[0])
        self.magnification: float | None = None
        self.downsamples = (1.0,)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Path]]:
        return PictureReader, (self.path,)

    def read_level(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        """See `SlideReader.read_level`."""
        if self._pixels is None:
            raise unreadable(self.path, level, x, y, ValueError("it is closed"))
        at, size = clip((x, y), (width, height), self.size)
        part = self._pixels[at[1] : at[1] + size[1], at[0] : at[0] + size[0]]
        # A copy, so that whoever draws on what was read doesn't draw on the slide.
        return on_white(part.copy(), at, (x, y), (width, height))

    def close(self) -> None:
        """See `SlideReader.close`."""
        self._pixels = None


def _tiff_mpp(path: Path) -> float | None:
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            if page.is_tiled:
                raise DataError(f"{path}: a tiled TIFF, but none that OpenSlide knows")
            unit = MICROMETRES.get(int(page.resolutionunit))
            x, y = page.resolution
    except (OSError, tifffile.TiffFileError, ValueError, IndexError) as error:
        raise DataError(f"{path}: not a readable TIFF ({error}); save it again") from None
    return mean_mpp(path, unit / x, unit / y) if unit and x > 0 and y > 0 else None

"""Plain pictures as slides of one level, held in memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.images.choice import NOTHING, Choice
from zoo.images.reading import IMAGE_SUFFIXES, read_image
from zoo.images.resolution import agreed_mpp
from zoo.images.tiff import TIFF_SUFFIXES, open_tiff
from zoo.slides.reader import clip, on_white, unreadable


class PictureReader:
    """A PNG, JPEG, WebP, BMP, NPY or untiled TIFF; see `SlideReader`.

    Args:
        path: its file.
        choice: what to take of a file that holds more than 8 bits of red, green and blue.
        tiled: whether a tiled TIFF may be held in memory.

    Raises:
        DataError: not a picture; a tiled TIFF, which mostly is too large to be held in memory.
    """

    def __init__(self, path: Path, choice: Choice = NOTHING, tiled: bool = False) -> None:
        self.path, self._how = path, (choice, tiled)
        if path.suffix.lower() not in IMAGE_SUFFIXES:
            raise DataError(f"{path}: no picture; those end in {', '.join(IMAGE_SUFFIXES)}")
        if path.suffix.lower() in TIFF_SUFFIXES and not tiled and _is_tiled(path):
            raise DataError(f"{path}: a tiled TIFF, but none that OpenSlide knows")
        image = read_image(path, choice)
        self._pixels: NDArray[np.uint8] | None = image.pixels
        self.size = (image.pixels.shape[1], image.pixels.shape[0])
        self.stated, self.magnification = image.stated, image.magnification
        self.notes = image.notes
        self.downsamples = (1.0,)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Path, Choice, bool]]:
        return PictureReader, (self.path, *self._how)

    @property
    def mpp(self) -> float | None:
        """See `SlideReader`."""
        return agreed_mpp(self.path, self.stated)

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


def _is_tiled(path: Path) -> bool:
    try:
        with open_tiff(path) as file:
            return file.pages.first.is_tiled
    except Exception as error:  # tifffile lets through whatever its codecs raise
        raise DataError(f"{path}: not a readable TIFF ({error}); save it again") from None

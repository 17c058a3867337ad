"""The one reader of pictures: pixels as viewers show them, and what the file knows about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.images.choice import NOTHING, Choice, colours
from zoo.images.resolution import Resolution, agreed_mpp, chosen_mpp
from zoo.images.stored import load

IMAGE_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg", ".webp", ".npy")


@dataclass(frozen=True)
class ImageFile:
    """A picture as it was read.

    Attributes:
        path: its file.
        pixels: (H, W, 3) uint8, upright as the file's orientation tag says.
        stated: what the file says of its resolution, in all the places where it does.
        magnification: of the objective; None if the file doesn't say.
        channels, pages: that the file has, of which `pixels` may be a choice.
        notes: what was chosen or taken for granted, for people to read.
    """

    path: Path
    pixels: NDArray[np.uint8]
    stated: tuple[Resolution, ...] = ()
    magnification: float | None = None
    channels: int = 3
    pages: int = 1
    notes: tuple[str, ...] = ()

    @property
    def mpp(self) -> float | None:
        """Micrometres a pixel; None if the file doesn't say.

        Raises:
            DataError: the file contradicts itself, or its pixels are not square.
        """
        return agreed_mpp(self.path, self.stated)

    def mpp_or(self, given: float | None) -> tuple[float | None, list[str]]:
        """The mpp that was given, or else the file's; and a note where the two differ.

        Raises:
            DataError: as `mpp`, unless one is given.
        """
        return chosen_mpp(self.path, self.stated, given)


def read_image(path: str | Path, choice: Choice = NOTHING) -> ImageFile:
    """Read a picture: colour in any layout, grey repeated, a palette resolved, transparency dropped.

    Args:
        path: a file with one of `IMAGE_SUFFIXES`.
        choice: what to take of a file that holds more than that.

    Raises:
        DataError: missing, unreadable; with several pages, other channels than red, green and blue, or more than 8 bits
            a channel, unless they are chosen from.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such image")
    try:
        stored = load(path, choice.page, stack=choice.channels is not None)
    except DataError:
        raise
    except Exception as error:  # Pillow and tifffile let through whatever their codecs raise
        raise DataError(
            f"{path}: not a readable image ({error}); is it complete? Else save it again as PNG or TIFF"
        ) from None
    pixels, notes = colours(path, stored, choice)
    return ImageFile(
        path, pixels, stored.stated, stored.magnification, stored.samples.shape[2], stored.pages, tuple(notes)
    )

"""What a slide's TIFF says that the backends don't look at."""

from pathlib import Path

import numpy as np

from zoo.errors import DataError
from zoo.images.resolution import Resolution
from zoo.images.tiff import RGB, open_tiff, planes, stated_resolutions, tag_orientation


def tiff_resolutions(path: Path) -> list[Resolution]:
    """Resolutions from the OME-XML and the tags; none of a file that is no TIFF, or a damaged one."""
    try:
        with open_tiff(path) as file:
            return stated_resolutions(file) if len(file.pages) else []
    except Exception:  # whoever reads its pixels says what is wrong with it
        return []


def check_tiff(path: Path) -> None:
    """Refuse a plain pyramid that is no slide of 8-bit colour or grey, upright: backends would show part of it.

    Raises:
        DataError: it is turned by a tag, or has other channels, more bits, or several pages of the first one's size.
    """
    try:
        with open_tiff(path) as file:
            orientation = tag_orientation(file.pages.first)
            found = planes(file)
            whole = [each for each in found if each.shape == found[0].shape]
    except Exception:  # whoever reads its pixels says what is wrong with it
        return
    if orientation != 1:
        raise DataError(f"{path}: turned by its orientation tag ({orientation}), as slides are not; save it upright")
    if len(whole) > 1:
        raise DataError(f"{path}: holds {len(whole)} pages (channels, z-planes or times), not a slide in colour")
    first = whole[0]
    if not (first.channels == 1 or (first.photometric in RGB and first.channels in (3, 4))):
        raise DataError(f"{path}: has {first.channels} channels, not red, green and blue")
    if first.series.dtype not in (np.uint8, np.dtype(bool)):
        raise DataError(f"{path}: {first.series.dtype}; slides have 8 bits a channel")

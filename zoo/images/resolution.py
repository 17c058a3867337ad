"""Micrometres a pixel, as files state them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from zoo.errors import DataError

# Above this a resolution tells how large to print the picture (72 dpi = 353 um), not what a pixel shows.
COARSEST_MPP = 20.0
# Scanners of one nominal magnification differ by about this much; what differs by more is another resolution.
AGREE = 0.02
# Micrometres of a unit; 'µ' and 'Å' as NFKC has them.
UNITS = {
    **dict.fromkeys(("um", "μm", "micron", "microns", "micrometer", "micrometre"), 1.0),
    **{"pm": 1e-6, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "dm": 1e5, "m": 1e6},
    **dict.fromkeys(("å", "a", "angstrom"), 1e-4),
    **dict.fromkeys(("in", "inch"), 25_400.0),
}


@dataclass(frozen=True)
class Resolution:
    """What one place in a file says: micrometres a pixel along x and y."""

    source: str
    x: float
    y: float


def micrometres(unit: str) -> float | None:
    """Micrometres of a unit of length; None for what is none, such as 'pixel'. ImageJ writes 'µm' as '\\u00B5m'."""
    unit = re.sub(r"\\u([0-9A-Fa-f]{4})", lambda found: chr(int(found[1], 16)), unit)
    return UNITS.get(unicodedata.normalize("NFKC", unit).strip().lower())


def resolution(source: str, x: float | None, y: float | None) -> list[Resolution]:
    """One statement, or nothing where it is missing or no microscope's."""
    known = x is not None and y is not None and isfinite(x) and isfinite(y)
    if not known or not (0 < x < COARSEST_MPP and 0 < y < COARSEST_MPP):  # type: ignore[operator]
        return []
    return [Resolution(source, x, y)]  # type: ignore[arg-type]


def agreed_mpp(path: Path, stated: Sequence[Resolution]) -> float | None:
    """The mean of x and y of the first statement; None without one.

    Raises:
        DataError: pixels are not square, or two statements differ by more than 2 %.
    """
    for each in stated:
        if not _agree(each.x, each.y):
            raise DataError(
                f"{path}: pixels of {each.x:g}x{each.y:g} um ({each.source}) are not square; resample the image, or "
                "give the right mpp: --mpp, open_slide(..., mpp=)"
            )
    for each in stated[1:]:
        if not _agree(each.x, stated[0].x):
            raise DataError(
                f"{path}: its {stated[0].source} says {stated[0].x:g} um/px, its {each.source} {each.x:g}; give the "
                "right one: --mpp, open_slide(..., mpp=)"
            )
    return (stated[0].x + stated[0].y) / 2 if stated else None


def chosen_mpp(path: Path, stated: Sequence[Resolution], given: float | None) -> tuple[float | None, list[str]]:
    """The mpp that was given, or else the file's; and a note where the two differ.

    Raises:
        DataError: as `agreed_mpp`, unless one is given.
    """
    if given is None:
        return agreed_mpp(path, stated), []
    others = [f"{each.x:g} ({each.source})" for each in stated if not (_agree(each.x, given) and _agree(each.y, given))]
    return given, [f"{path}: mpp {given:g} as given; the file says {', '.join(others)}"] if others else []


def _agree(one: float, other: float) -> bool:
    return abs(one - other) <= AGREE * min(abs(one), abs(other))

"""Where the two nearest clicks of a session lie, which tells what is looked at closer (ZoomISEG, Algorithm 1)."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations


@dataclass(frozen=True)
class Nearest:
    """Two clicks.

    Attributes:
        pair: their numbers in time order.
        distance: between them, in pixels; infinite where there are no two.
        x: of the middle between them.
        y: of it.
    """

    pair: tuple[int, int]
    distance: float
    x: float
    y: float


NOTHING = Nearest((-1, -1), math.inf, math.nan, math.nan)


def nearest(clicks: Sequence[tuple[float, float]], done: Collection[tuple[int, int]] = ()) -> Nearest:
    """The two clicks (x, y) with the smallest Euclidean distance, whatever their signs; the earliest of equals.

    Args:
        clicks: in time order.
        done: pairs that are left out, by their numbers.

    Returns:
        The pair; `NOTHING`, whose distance is infinite, for a single click and where all pairs are left out.
    """
    best = NOTHING
    for j, i in combinations(range(len(clicks)), 2):
        (x0, y0), (x1, y1) = clicks[j], clicks[i]
        distance = math.hypot(x1 - x0, y1 - y0)
        if distance < best.distance and (j, i) not in done:
            best = Nearest((j, i), distance, (x0 + x1) / 2, (y0 + y1) / 2)
    return best

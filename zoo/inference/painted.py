"""A label image of what was segmented of a large field, and how much of it there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zoo.images.raster import Raster, count, places
from zoo.inference.large import Progress, Values, nothing
from zoo.ops.frame import Slices


class Large(Protocol):
    """What gives the mask and the probability of some rows and columns of a field, (h, w) each."""

    def mask(self, place: Slices) -> NDArray[np.bool_]: ...  # noqa: D102
    def probability(self, place: Slices) -> Values: ...  # noqa: D102


@dataclass
class PaintedObject:
    """What a label image holds of an object.

    Attributes:
        pixels: how many.
        total: the sum of their probabilities.
        rows: first row and the one after the last; 0, 0 where there are no pixels.
        columns: likewise.
    """

    pixels: int = 0
    total: float = 0.0
    rows: tuple[int, int] = (0, 0)
    columns: tuple[int, int] = (0, 0)

    @property
    def mean(self) -> float | None:
        """Mean probability; None without pixels."""
        return round(self.total / self.pixels, 4) if self.pixels else None

    @property
    def place(self) -> Slices:
        """The rows and columns in which it lies."""
        return slice(*self.rows), slice(*self.columns)

    def see(self, mask: NDArray[np.bool_], probability: Values, place: Slices) -> None:
        """Count its pixels in one more tile."""
        rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
        if not len(rows):
            return
        ends = [
            (int(each[0]) + start.start, int(each[-1]) + start.start + 1)
            for each, start in zip((rows, columns), place, strict=True)
        ]
        if self.pixels:
            was = (self.rows, self.columns)
            ends = [(min(a, c), max(b, d)) for (a, b), (c, d) in zip(ends, was, strict=True)]
        self.rows, self.columns = ends
        self.pixels += int(mask.sum())
        self.total += float(probability[mask].sum(dtype=np.float64))


def paint(large: Large, labels: Raster, progress: Progress = nothing) -> PaintedObject:
    """Write an object into a label image as number 1, tile by tile."""
    found, total = PaintedObject(), count(labels.size)
    for done, place in enumerate(places(labels.size), 1):
        mask = large.mask(place)
        if mask.any():
            labels.write(place, mask.astype(labels.dtype))
            found.see(mask, large.probability(place), place)
        progress(done, total)
    return found

"""What rings enclose: points around which the winding number is not zero."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Slices = tuple[slice, slice]


def covered(box: NDArray[np.float64], xs: NDArray[np.float64], ys: NDArray[np.float64]) -> Slices | None:
    """Rows and columns of a grid in a box x0, y0, x1, y1, its right and lower border left out; None: there are none."""
    columns = slice(*np.searchsorted(xs, (box[0], box[2])).tolist())
    rows = slice(*np.searchsorted(ys, (box[1], box[3])).tolist())
    return (rows, columns) if columns.start < columns.stop and rows.start < rows.stop else None


class Area:
    """What the first ring encloses and none of the others does.

    Args:
        rings: (K, 2) x, y each: the outer ring and then the holes.
    """

    def __init__(self, rings: Sequence[NDArray[np.float64]]) -> None:
        self._outer, *self._holes = map(Ring, rings)
        self.box = self._outer.box
        self._boxes = np.array([hole.box for hole in self._holes]).reshape(-1, 4)

    def inside(self, xs: NDArray[np.float64], ys: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which points of a grid are inside; see `Ring.inside`."""
        inside = self._outer.inside(xs, ys)
        low, high = self._boxes[:, :2], self._boxes[:, 2:]
        for index in np.flatnonzero((low <= (xs[-1], ys[-1])).all(1) & (high >= (xs[0], ys[0])).all(1)):
            part = covered(self._boxes[index], xs, ys)
            if part is not None:
                inside[part] &= ~self._holes[index].inside(xs[part[1]], ys[part[0]])
        return inside


class Ring:
    """A closed line that may cross itself, its edges found by rows.

    Edges of about one height are kept together, sorted by their upper end: those that cross a band of rows begin at
    most that height above it. So a window costs what crosses its rows, however many vertices the ring has.

    Args:
        points: (K, 2) x, y; the last is joined to the first.
    """

    def __init__(self, points: NDArray[np.float64]) -> None:
        self._points = points
        self.box: NDArray[np.float64] = np.concatenate([points.min(0), points.max(0)])

    @cached_property
    def _by_height(self) -> list[tuple[float, NDArray[np.float64]]]:
        """Height, and (N, 5) x, y of the upper and lower ends and whether the ring runs down (1) or up (-1) there."""
        start, stop = self._points, np.roll(self._points, -1, 0)
        # Always from the upper end down, so that two rings with a common edge agree to the last bit where it is.
        upwards = (start[:, 1] > stop[:, 1])[:, None]
        edges = np.hstack(
            [np.where(upwards, stop, start), np.where(upwards, start, stop), np.where(upwards, -1.0, 1.0)]
        )
        edges = edges[edges[:, 1] < edges[:, 3]]
        edges = edges[np.argsort(edges[:, 1], kind="stable")]
        exponent = np.frexp(edges[:, 3] - edges[:, 1])[1]
        return [(2.0**power, edges[exponent == power]) for power in np.unique(exponent).tolist()]

    def _crossing(self, first: float, last: float) -> NDArray[np.float64]:
        """(N, 5) as above: all edges, and a few more, that cross rows `first` to `last`."""
        near = []
        for height, edges in self._by_height:
            begin, end = np.searchsorted(edges[:, 1], (first - height, last), side="right")
            near.append(edges[begin:end])
        return np.concatenate(near) if near else np.empty((0, 5))

    def inside(self, xs: NDArray[np.float64], ys: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which points of a grid the ring winds around; on an edge, those to the right and below are.

        Args:
            xs: (W,) ascending.
            ys: (H,) ascending.

        Returns:
            (H, W) bool.
        """
        x0, y0, x1, y1, turn = self._crossing(ys[0], ys[-1]).T
        first, stop = np.searchsorted(ys, y0), np.searchsorted(ys, y1)
        count = stop - first
        edge = np.repeat(np.arange(len(count)), count)
        row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
        x0, y0, x1, y1, turn = x0[edge], y0[edge], x1[edge], y1[edge], turn[edge]
        crossed = x0 + (ys[row] - y0) / (y1 - y0) * (x1 - x0)
        column = np.searchsorted(xs, crossed)
        # Most windows of a large ring are crossed by no edge: the edges left of a row wind around all or none of it.
        left = column == 0
        before = np.bincount(row[left], turn[left], minlength=len(ys))
        inside = np.repeat((before != 0)[:, None], len(xs), axis=1)
        within = (column > 0) & (column < len(xs))
        rows, place = np.unique(row[within], return_inverse=True)
        turns = np.bincount(place * len(xs) + column[within], turn[within], minlength=len(rows) * len(xs))
        turns = turns.reshape(len(rows), len(xs)).astype(np.int32)  # a quarter of the time of float64
        turns[:, 0] += before[rows].astype(np.int32)
        inside[rows] = np.cumsum(turns, axis=1, dtype=np.int32) != 0
        return inside

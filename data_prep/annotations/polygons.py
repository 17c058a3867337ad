"""Draws outlines exactly: a pixel belongs to what its centre is in."""

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from data_prep.annotations.base import centres
from data_prep.annotations.outlines import Outline
from zoo.store.schema import IGNORE


class Polygons:
    """Outlines of a slide. As regions, inside one of them is 1, outside 0.

    A hole is outside its own outline only; a negative outline is cut out of all others.

    Args:
        outlines: the regions or objects.
        ignored: what is in one of these becomes 255, whatever else covers it.
        background: 0, or 255 where what is not outlined is unknown; what is cut out is known to be 0.
    """

    def __init__(self, outlines: Sequence[Outline], ignored: Sequence[Outline] = (), background: int = 0) -> None:
        self._outlines, self._ignored, self._background = Drawn(outlines), Drawn(ignored), background

    def raster(self, x: int, y: int, width: int, height: int, downsample: float) -> NDArray[np.uint8]:
        """See `Annotation.raster`."""
        window = centres(x, width, downsample), centres(y, height, downsample)
        label = np.full((height, width), self._background, np.uint8)
        for outline, part, inside in self._outlines.parts(*window):
            label[part][inside] = 0 if outline.negative else 1
        for _, part, inside in self._ignored.parts(*window):
            label[part][inside] = IGNORE
        return label

    def instances(self, x: int, y: int, width: int, height: int, downsample: float) -> NDArray[np.int32]:
        """See `Annotation.instances`: ids are the objects' numbers in the file, and a later one wins a pixel."""
        label = np.zeros((height, width), np.int32)
        window = centres(x, width, downsample), centres(y, height, downsample)
        for outline, part, inside in self._outlines.parts(*window):
            label[part][inside] = 0 if outline.negative else outline.number
        return label


class Drawn:
    """Outlines with what is needed to draw a few of very many quickly; negative ones come last."""

    def __init__(self, outlines: Sequence[Outline]) -> None:
        self._outlines = sorted(outlines, key=lambda outline: outline.negative)
        self._edges = [Edges(outline.rings) for outline in self._outlines]
        points = [np.concatenate(outline.rings) for outline in self._outlines]
        self._boxes = np.array([(*each.min(0), *each.max(0)) for each in points], np.float64).reshape(-1, 4)

    def parts(
        self, xs: NDArray[np.float64], ys: NDArray[np.float64]
    ) -> Iterator[tuple[Outline, tuple[slice, slice], NDArray[np.bool_]]]:
        """Each outline near a window, the part of the window its box covers, and which pixels there are inside.

        Args:
            xs: (W,) ascending coordinates of the columns' centres.
            ys: (H,) ascending coordinates of the rows' centres.
        """
        if not len(self._outlines) or not len(xs) or not len(ys):
            return
        low, high = self._boxes[:, :2], self._boxes[:, 2:]
        near = (low <= (xs[-1], ys[-1])).all(1) & (high >= (xs[0], ys[0])).all(1)
        for index in np.flatnonzero(near):
            x0, y0, x1, y1 = self._boxes[index]
            columns = slice(*np.searchsorted(xs, (x0, x1)).tolist())
            rows = slice(*np.searchsorted(ys, (y0, y1)).tolist())
            if columns.start < columns.stop and rows.start < rows.stop:
                inside = self._edges[index].inside(xs[columns], ys[rows])
                yield self._outlines[index], (rows, columns), inside


class Edges:
    """Edges of the rings of one outline, found by rows.

    Edges of about one height are kept together, sorted by their upper end: those that cross a band of rows begin at
    most that height above it. So a window costs what crosses its rows, however many vertices the outline has.

    Args:
        rings: (K, 2) x, y each.
    """

    def __init__(self, rings: Sequence[NDArray[np.float64]]) -> None:
        self._rings = rings

    @cached_property
    def _by_height(self) -> list[tuple[float, NDArray[np.float64]]]:
        start, stop = np.concatenate(self._rings), np.concatenate([np.roll(points, -1, 0) for points in self._rings])
        # Always from the upper end down, so that two outlines with a common edge agree to the last bit where it is.
        upwards = start[:, 1] > stop[:, 1]
        edges = np.hstack([np.where(upwards[:, None], stop, start), np.where(upwards[:, None], start, stop)])
        edges = edges[edges[:, 1] < edges[:, 3]]
        edges = edges[np.argsort(edges[:, 1], kind="stable")]
        exponent = np.frexp(edges[:, 3] - edges[:, 1])[1]
        return [(2.0**power, edges[exponent == power]) for power in np.unique(exponent).tolist()]

    def _crossing(self, first: float, last: float) -> NDArray[np.float64]:
        """(N, 4) x, y of the upper and lower ends of all edges, and a few more, that cross rows `first` to `last`."""
        near = []
        for height, edges in self._by_height:
            begin, end = np.searchsorted(edges[:, 1], (first - height, last), side="right")
            near.append(edges[begin:end])
        return np.concatenate(near) if near else np.empty((0, 4))

    def inside(self, xs: NDArray[np.float64], ys: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which points of a grid are inside by the even-odd rule; on an edge, those to the right and below are.

        Args:
            xs: (W,) ascending.
            ys: (H,) ascending.

        Returns:
            (H, W) bool.
        """
        x0, y0, x1, y1 = self._crossing(ys[0], ys[-1]).T
        first, stop = np.searchsorted(ys, y0), np.searchsorted(ys, y1)
        count = stop - first
        edge = np.repeat(np.arange(len(count)), count)
        row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
        x0, y0, x1, y1 = x0[edge], y0[edge], x1[edge], y1[edge]
        crossed = x0 + (ys[row] - y0) / (y1 - y0) * (x1 - x0)
        column = np.searchsorted(xs, crossed)
        # Most windows of a large outline are crossed by no edge: an even or odd number of edges lies left of each row.
        odd = (np.bincount(row[column == 0], minlength=len(ys)) & 1).astype(np.bool_)
        inside = np.repeat(odd[:, None], len(xs), axis=1)
        within = (column > 0) & (column < len(xs))
        rows, place = np.unique(row[within], return_inverse=True)
        toggles = np.bincount(place * len(xs) + column[within], minlength=len(rows) * len(xs))
        # Only parity counts, so that a byte may overflow: a third of the time.
        crossings = np.cumsum(toggles.reshape(len(rows), len(xs)).astype(np.uint8), axis=1, dtype=np.uint8)
        inside[rows] ^= (crossings & 1).view(np.bool_)
        return inside

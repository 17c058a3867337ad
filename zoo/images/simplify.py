"""Outlines along pixel edges to fewer and slanted lines that are valid polygons still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from zoo.images.crossings import Indices, area, areas, crossing, parents

Points = NDArray[np.int64]
Polygon = Sequence[Sequence[Sequence[int]]]

# Pixels from the line through the middles of pixel edges, tried in this order; at half a pixel small squares would be
# turned. The last keeps every point.
TOLERANCES = (0.45, 0.25, 0.0)


def simplified(objects: Sequence[Sequence[Polygon]]) -> list[list[list[list[list[float]]]]]:
    """The polygons of objects with fewer vertices, all of them in the middle of a pixel's edge.

    First the corners of pixels are cut off, by lines through the middles of their edges, so that all pixel centres stay
    where they are; then points less than half a pixel from the new line are left out. What encloses less than a pixel,
    a single one or a hole of one, is gone; of an object that is nothing else, one pixel stays. Rings of an object
    neither touch nor cross each other or themselves, and lie in each other as they did.

    Args:
        objects: the polygons of each, as `zoo.images.geojson.polygons` makes them: outer ring, holes, closed.

    Returns:
        Polygons likewise.
    """
    kept = [_without_specks(shapes) for shapes in objects]
    found = iter(_valid([[ring for rings in shapes for ring in rings] for shapes in kept]))
    return [[[_written(next(found)) for _ in rings] for rings in shapes] for shapes in kept]


@dataclass(frozen=True)
class TracedRing:
    """A ring through the middles of pixel edges, in half pixels: the first and the last of each straight run (K, 2)."""

    middles: Points

    @classmethod
    def of(cls, ring: Sequence[Sequence[int]]) -> TracedRing:
        """Of a closed ring along pixel edges, in pixels."""
        corners = 2 * np.array(ring, np.int64)
        start, stop = corners[:-1], corners[1:]
        step = np.sign(stop - start)
        points = np.stack([start + step, stop - step], 1).reshape(-1, 2)
        keep = np.ones(len(points), bool)
        keep[1::2] = (points[0::2] != points[1::2]).any(1)  # a run of one edge has one middle
        return cls(points[keep])

    @cached_property
    def area(self) -> float:
        """In pixels; negative for a hole."""
        return area(self.middles)


def _fewer(outlines: Sequence[TracedRing], tolerances: Sequence[float]) -> list[Points]:
    """The middles that are needed for no point to be farther than this from the lines between them, in pixels.

    Douglas and Peucker's way, with the two middles farthest from the centre and from each other to begin with; all
    spans of all rings are split at once.
    """
    opened = [_opened(outline.middles) for outline in outlines]
    ends = np.cumsum([len(ring) for ring, _ in opened])
    starts = ends - [len(ring) for ring, _ in opened]
    points = np.concatenate([ring for ring, _ in opened]).astype(np.float64)
    far = starts + [far for _, far in opened]
    keep = np.zeros(len(points), bool)
    keep[starts] = keep[far] = True
    first, last = np.concatenate([starts, far]), np.concatenate([far, ends - 1])
    limit = np.tile(2 * np.asarray(tolerances, np.float64), 2)
    while len(first):
        some = last - first > 1
        first, last, limit = first[some], last[some], limit[some]
        count = last - first - 1
        begin = np.cumsum(count) - count
        span = np.repeat(np.arange(len(first)), count)
        within = np.arange(len(span)) - begin[span] + first[span] + 1
        distance = _distance(points[within], points[first[span]], points[last[span]])
        most = np.maximum.reduceat(distance, begin) if len(first) else distance
        split = np.flatnonzero(most > limit)
        farthest = np.flatnonzero(distance == most[span])
        chosen = np.full(len(first), -1)
        chosen[span[farthest[::-1]]] = within[farthest[::-1]]
        middle = chosen[split]
        keep[middle] = True
        first, last = np.concatenate([first[split], middle]), np.concatenate([middle, last[split]])
        limit = np.tile(limit[split], 2)
    # The first middle of each ring stands at its end, too, where nothing is kept.
    return [
        points[start:end][keep[start:end]].astype(np.int64)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]


def _opened(ring: Points) -> tuple[Points, int]:
    """A ring from the point that is farthest from the centre on, this one twice, and the place of the one opposite."""
    first = int(((ring - ring.mean(0)) ** 2).sum(1).argmax())
    points = np.concatenate([ring[first:], ring[: first + 1]])
    return points, int(((points - points[0]) ** 2).sum(1).argmax())


def _without_specks(shapes: Sequence[Polygon]) -> list[list[TracedRing]]:
    outlines = [[TracedRing.of(ring) for ring in rings] for rings in shapes]
    largest = max(outlines, key=lambda rings: rings[0].area)
    kept = [rings for rings in outlines if rings is largest or rings[0].area >= 1]
    return [[rings[0], *(hole for hole in rings[1:] if hole.area <= -1)] for rings in kept]


def _valid(objects: Sequence[Sequence[TracedRing]]) -> list[Points]:
    """Each ring simplified as far as those of an object stay valid together."""
    outlines = [ring for rings in objects for ring in rings]
    groups = [number for number, rings in enumerate(objects) for _ in rings]
    whole = [outline.middles for outline in outlines]
    within = parents(whole, groups) if outlines else np.zeros(0, np.int64)
    whole_areas = np.array([outline.area for outline in outlines])
    stage = [0] * len(outlines)
    rings = _fewer(outlines, [TOLERANCES[0]] * len(outlines)) if outlines else []
    while True:
        bad = {i for i, ring in enumerate(rings) if len(ring) < 3}
        if rings:
            bad |= set(np.flatnonzero(areas(rings) * whole_areas <= 0).tolist())
        if not bad and rings:
            bad = crossing(rings, groups)
        if not bad and rings:
            bad = _elsewhere(within, rings, groups)
        worse = [i for i in bad if stage[i] + 1 < len(TOLERANCES)]
        if not worse:
            return rings
        for i in worse:
            stage[i] += 1
            rings[i] = whole[i]
        again = [i for i in worse if TOLERANCES[stage[i]] > 0]
        if again:
            fewer = _fewer([outlines[i] for i in again], [TOLERANCES[stage[i]] for i in again])
            for i, ring in zip(again, fewer, strict=True):
                rings[i] = ring


def _elsewhere(whole: Indices, rings: Sequence[Points], groups: Sequence[int]) -> set[int]:
    """The rings that lie in another one than before, `whole`, and these two."""
    now = parents(rings, groups)
    moved = np.flatnonzero(whole != now)
    return {*moved.tolist(), *whole[moved].tolist(), *now[moved].tolist()} - {-1}


def _distance(
    points: NDArray[np.float64], start: NDArray[np.float64], stop: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Of (N, 2) points from the lines between (N, 2) starts and stops."""
    along, away = stop - start, points - start
    length = np.einsum("ij,ij->i", along, along)
    share = np.clip(np.einsum("ij,ij->i", away, along) / np.where(length > 0, length, 1), 0, 1)
    rest = away - share[:, None] * along
    distance: NDArray[np.float64] = np.hypot(rest[:, 0], rest[:, 1])
    return distance


def _written(ring: Points) -> list[list[float]]:
    return [[x / 2, y / 2] for x, y in [*ring.tolist(), ring[0].tolist()]]

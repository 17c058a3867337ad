"""Whether rings of whole numbers cross, touch or hold each other; exact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.int64]
Indices = NDArray[np.int64]

_CELL = 48  # half pixels: a few dozen segments of an outline
_PAIRS = 1_000_000  # at a time


def area(ring: Points) -> float:
    """Signed area in pixels of a ring (K, 2) in half pixels; positive with the inside on the right (y points down)."""
    x, y = ring.T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 8


def crossing(rings: Sequence[Points], groups: Sequence[int]) -> set[int]:
    """The numbers of the rings (K, 2) that cross or touch another of their group or themselves."""
    start = np.concatenate(rings)
    stop = np.concatenate([np.roll(ring, -1, 0) for ring in rings])
    ring = np.repeat(np.arange(len(rings)), [len(each) for each in rings])
    after = np.concatenate(
        [np.roll(np.arange(len(each)), -1) + first for each, first in zip(rings, _firsts(rings), strict=True)]
    )
    group = np.asarray(groups)[ring]
    low, high = np.minimum(start, stop), np.maximum(start, stop)
    bad: set[int] = set()
    for i, j in _neighbourhoods(low, high):
        same = group[i] == group[j]
        i, j = i[same], j[same]
        near = (low[i] <= high[j]).all(1) & (high[i] >= low[j]).all(1)
        i, j = i[near], j[near]
        meet = _meet(start[i], stop[i], start[j], stop[j])
        # Neighbours meet in the vertex they share; they must not lie on each other besides.
        neighbours = (after[i] == j) | (after[j] == i)
        along = ((stop[i] - start[i]) * (stop[j] - start[j])).sum(1)
        folded = (_side(start[i], stop[i], start[j]) == 0) & (_side(start[i], stop[i], stop[j]) == 0) & (along < 0)
        meet = np.where(neighbours, folded, meet)
        bad |= set(ring[i[meet]].tolist()) | set(ring[j[meet]].tolist())
    return bad


def containment(rings: Sequence[Points]) -> NDArray[np.bool_]:
    """(N, N) bool: whether ring i lies in ring j, for rings that don't meet."""
    found = np.zeros((len(rings), len(rings)), bool)
    points = np.array([ring[0] for ring in rings])
    for j, ring in enumerate(rings):
        near = ((points >= ring.min(0)) & (points <= ring.max(0))).all(1)
        near[j] = False
        a, b = ring, np.roll(ring, -1, 0)
        for i in np.flatnonzero(near):
            spans = (a[:, 1] <= points[i, 1]) != (b[:, 1] <= points[i, 1])
            left = (_side(a, b, points[i]) > 0) == (b[:, 1] > a[:, 1])
            found[i, j] = (spans & left).sum() % 2
    return found


def _neighbourhoods(low: Points, high: Points) -> Iterator[tuple[Indices, Indices]]:
    """Pairs of boxes (N, 2) that reach into one cell of a grid, some at a time; a pair may come more than once."""
    first = low // _CELL
    columns, rows = (high // _CELL - first + 1).T
    count = columns * rows
    box = np.repeat(np.arange(len(low)), count)
    place = np.arange(len(box)) - np.repeat(np.cumsum(count) - count, count)
    x, y = first[box, 0] + place % columns[box], first[box, 1] + place // columns[box]
    order = np.lexsort((x, y))
    box, x, y = box[order], x[order], y[order]
    new = np.flatnonzero(np.r_[True, (np.diff(x) != 0) | (np.diff(y) != 0), True])
    # Each is paired with those after it in its cell.
    after = np.repeat(new[1:], np.diff(new)) - np.arange(len(box)) - 1
    begin, total = 0, np.cumsum(after)
    while begin < len(box):
        end = max(begin + 1, int(np.searchsorted(total, (total[begin - 1] if begin else 0) + _PAIRS, side="right")))
        one = np.repeat(np.arange(begin, end), after[begin:end])
        steps = np.cumsum(after[begin:end]) - after[begin:end]
        other = one + 1 + np.arange(len(one)) - np.repeat(steps, after[begin:end])
        yield box[one], box[other]
        begin = end


def _firsts(rings: Sequence[Points]) -> list[int]:
    return [0, *np.cumsum([len(ring) for ring in rings])[:-1].tolist()]


def _side(a: Points, b: Points, point: Points) -> Points:
    """On which side of the line from a to b: positive, negative, or 0 on it."""
    ab, ap = b - a, point - a
    side: Points = ab[..., 0] * ap[..., 1] - ab[..., 1] * ap[..., 0]
    return side


def _meet(a: Points, b: Points, c: Points, d: Points) -> NDArray[np.bool_]:
    """Whether segments a-b and c-d with overlapping boxes share a point."""
    first = np.sign(_side(a, b, c)) * np.sign(_side(a, b, d)) <= 0
    second = np.sign(_side(c, d, a)) * np.sign(_side(c, d, b)) <= 0
    return np.asarray(first & second, np.bool_)

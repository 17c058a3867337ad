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


def areas(rings: Sequence[Points]) -> NDArray[np.float64]:
    """`area` of each ring."""
    start, stop, _ = _edges(rings)
    twice = start[:, 0] * stop[:, 1] - stop[:, 0] * start[:, 1]
    return np.asarray(np.add.reduceat(twice, _firsts(rings)) / 8, np.float64)


def crossing(rings: Sequence[Points], groups: Sequence[int]) -> set[int]:
    """The numbers of the rings (K, 2) that cross or touch another of their group or themselves."""
    start, stop, ring = _edges(rings)
    after = _after(rings)
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


def parents(rings: Sequence[Points], groups: Sequence[int]) -> Indices:
    """The innermost ring of its group in which each ring lies, -1 if in none, for rings that don't meet.

    To the left of a ring's leftmost point lies the border of its parent, or that of a ring with the same parent. All
    borders are cut at every y, and sorted, so that the time hardly grows faster than their length.
    """
    start, stop, ring = _edges(rings)
    low, high = np.minimum(start[:, 1], stop[:, 1]), np.maximum(start[:, 1], stop[:, 1])
    edge = np.repeat(np.arange(len(start)), high - low)
    y = np.arange(len(edge)) - np.repeat(np.cumsum(high - low) - (high - low), high - low) + low[edge]
    rise = stop[edge, 1] - start[edge, 1]
    x = start[edge, 0] + (y - start[edge, 1]) * (stop[edge, 0] - start[edge, 0]) / rise
    by_x = np.lexsort((start[:, 1], start[:, 0], ring))
    leftmost = start[by_x[_firsts(rings)]]
    # A ring's own border begins at its leftmost point: points come before borders at the same place.
    order = np.lexsort(
        (
            np.repeat([0, 1], [len(rings), len(edge)]),
            np.concatenate([leftmost[:, 0], x]),
            np.concatenate([leftmost[:, 1], y]),
            np.asarray(groups)[np.concatenate([np.arange(len(rings)), ring[edge]])],
        )
    )
    last = np.maximum.accumulate(np.where(order >= len(rings), np.arange(len(order)), -1))
    place = np.flatnonzero(order < len(rings))
    points, borders = order[place], order[last[place]] - len(rings)
    near = (last[place] >= 0) & (borders >= 0)
    points, borders = points[near], borders[near]
    same = (y[borders] == leftmost[points, 1]) & (np.asarray(groups)[ring[edge[borders]]] == np.asarray(groups)[points])
    points, borders = points[same], borders[same]
    found = np.full(len(rings), -1)
    # With the inside on the right, what lies to the right of a border that runs up is inside.
    positive = areas(rings) > 0
    neighbour = ring[edge[borders]]
    inside = (rise[borders] < 0) == positive[neighbour]
    left = np.argsort(leftmost[points, 0], kind="stable")  # so that neighbours have theirs before
    for i, j, within in zip(points[left].tolist(), neighbour[left].tolist(), inside[left].tolist(), strict=True):
        found[i] = j if within else found[j]
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


def _edges(rings: Sequence[Points]) -> tuple[Points, Points, Indices]:
    """Start and end (N, 2) of all edges, and the number of their ring."""
    start = np.concatenate(rings)
    return start, start[_after(rings)], np.repeat(np.arange(len(rings)), [len(each) for each in rings])


def _after(rings: Sequence[Points]) -> Indices:
    """The place of the vertex after each in its ring."""
    firsts = np.array(_firsts(rings))
    after = np.arange(1, sum(map(len, rings)) + 1)
    after[np.append(firsts[1:], len(after)) - 1] = firsts
    return after


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

"""The outlines of maps too large for memory, put together from the corners found tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from zoo.images.crossings import parents
from zoo.images.geojson import Ring, Vertex
from zoo.images.raster import Place, Raster, places
from zoo.images.simplify import TracedRing

Corners = NDArray[np.int64]

# What a vertex is, by which of the pixels around it belong: 1 left above, 2 right above, 4 left below, 8 right below.
# Outlines run with the object on their right, y points down: a corner has one edge to the left or right, and one up or
# down, and is left along one of them. Where two pixels touch diagonally there are two corners, one of each pixel.
_EAST = np.isin(np.arange(16), (2, 7, 8, 13))
_SOUTH = np.isin(np.arange(16), (4, 7, 8, 11))
_ALONG = np.isin(np.arange(16), (1, 8, 11, 13))  # left along the row
_CORNERS = (1, 2, 4, 7, 8, 11, 13, 14)
_DIAGONALS = {6: (2, 4), 9: (1, 8)}


def corners(mask: NDArray[np.bool_], first: Vertex) -> Corners:
    """(N, 3) x, y and kind of the corners of outlines at the vertices between the pixels of a mask (h, w).

    Args:
        mask: a tile's pixels with those left and above of it; with outside ones, too, wherever the map ends.
        first: x, y of the vertex between the first four pixels.
    """
    cells = mask.astype(np.uint8)
    code = cells[:-1, :-1] | cells[:-1, 1:] << 1 | cells[1:, :-1] << 2 | cells[1:, 1:] << 3
    rows, columns = np.nonzero((code != 0) & (code != 15))
    kinds = code[rows, columns].astype(np.int64)
    for both, (one, other) in _DIAGONALS.items():
        here = kinds == both
        kinds[here] = one
        rows, columns = np.concatenate([rows, rows[here]]), np.concatenate([columns, columns[here]])
        kinds = np.concatenate([kinds, np.full(int(here.sum()), other)])
    turns = np.isin(kinds, _CORNERS)
    return np.stack([columns + first[0], rows + first[1], kinds], 1)[turns].astype(np.int64)


def corners_of(
    labels: Raster, number: int, part: Place | None = None, progress: Callable[[], None] = lambda: None
) -> Iterator[Corners]:
    """The corners of an object's outlines, tile by tile, each once.

    Args:
        labels: the map.
        number: the object's.
        part: rows and columns in which it lies; None: the whole map.
        progress: called after each tile.
    """
    rows, columns = part or (slice(0, labels.size[0]), slice(0, labels.size[1]))
    for down, across in places((rows.stop - rows.start, columns.stop - columns.start)):
        y, x = rows.start + down.start, columns.start + across.start
        low, high = rows.start + down.stop, columns.start + across.stop
        before = (int(y > rows.start), int(x > columns.start))
        mask = labels.read((slice(y - before[0], low), slice(x - before[1], high))) == number
        if mask.any():
            ends = ((1 - before[0], int(low == rows.stop)), (1 - before[1], int(high == columns.stop)))
            yield corners(np.pad(mask, ends), (x, y))
        progress()


def polygons_of(found: Iterable[Corners]) -> list[list[Ring]]:
    """The polygons of a map from the corners of its tiles, each found once, as `zoo.images.geojson.polygons` of it.

    Memory is that of the corners, however large the map is.
    """
    every = np.concatenate([np.zeros((0, 3), np.int64), *found])
    every = every[np.lexsort((every[:, 2], every[:, 0], every[:, 1]))]
    if not len(every):
        return []
    loops = [part for walk in _walks(every) for part in _simple(walk)]
    outlines = [TracedRing.of([*loop, loop[0]]) for loop in loops]
    positive = [outline.area > 0 for outline in outlines]
    holding = parents([outline.middles for outline in outlines], [0] * len(outlines))
    holes: dict[int, list[int]] = {number: [] for number, outer in enumerate(positive) if outer}
    for number, outer in enumerate(positive):
        if not outer:
            holes[int(holding[number])].append(number)
    polygons = []
    for number in sorted(holes, key=lambda n: min((y, x) for x, y in loops[n])):
        order = [number, *sorted(holes[number], key=lambda n: -outlines[n].area)]
        polygons.append([[list(vertex) for vertex in (*loops[n], loops[n][0])] for n in order])
    return polygons


def _walks(every: Corners) -> list[list[Vertex]]:
    """Closed paths through corners that are sorted by row and column, around one pixel where two touch diagonally.

    Each begins with its first edge that runs to the right, as rows are read.
    """
    x, y, kind = every.T
    partner = np.empty((2, len(every)), np.int64)
    # Along a row (a column) edges begin and end in turn; where one ends in a vertex in which another begins, it is
    # sorted first.
    for axis, order in ((0, np.lexsort((_EAST[kind], x, y))), (1, np.lexsort((_SOUTH[kind], y, x)))):
        first, second = order[0::2], order[1::2]
        partner[axis][first], partner[axis][second] = second, first
    along = _ALONG[kind]
    after = np.where(along, partner[0], partner[1]).tolist()
    starts = np.flatnonzero(along & _EAST[kind]).tolist()
    points = list(zip(x.tolist(), y.tolist(), strict=True))
    seen = bytearray(len(points))
    walks = []
    for start in starts:
        if seen[start]:
            continue
        walk, place = [], start
        while not seen[place]:
            seen[place] = 1
            walk.append(points[place])
            place = after[place]
        walks.append(walk)
    return walks


def _simple(walk: list[Vertex]) -> list[list[Vertex]]:
    """A closed path cut where it meets itself in a vertex."""
    if len(set(walk)) == len(walk):
        return [walk]
    loops: list[list[Vertex]] = []
    path: list[Vertex] = []
    place: dict[Vertex, int] = {}
    for vertex in walk:
        if vertex in place:
            first = place[vertex]
            loops.append(path[first:])
            for passed in path[first + 1 :]:
                del place[passed]
            del path[first + 1 :]
        else:
            place[vertex] = len(path)
            path.append(vertex)
    return [*loops, path]

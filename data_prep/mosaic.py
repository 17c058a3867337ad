"""Images cut into a grid of tiles: put together again, their objects joined over the seams, and averaged down."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

_T = TypeVar("_T", bound=np.generic)

# An object reaches a seam with a run of pixels on either side. Two objects are parts of one when the pixels where they
# face each other are at least this share of the shorter run; less, and two neighbours merely touch at the seam.
SEAM_SHARE = 0.25


def stitch(tiles: Sequence[Sequence[NDArray[_T]]]) -> NDArray[_T]:
    """One (H, W, ...) image from rows of equally large tiles."""
    return np.concatenate([np.concatenate(row, axis=1) for row in tiles], axis=0)


def stitch_labels(tiles: Sequence[Sequence[NDArray[np.integer]]]) -> NDArray[np.int32]:
    """One instance map from rows of tiles' maps, where an object cut by a seam is one object again.

    Two objects of neighbouring tiles become one when they face each other across the seam along at least `SEAM_SHARE`
    of the shorter of their two borders; joining is transitive, so an object may reach over any number of tiles.

    Args:
        tiles: rows of (h, w) integer maps of one size, 0 = background; ids count within a tile only.

    Returns:
        (H, W) int32 with ids 1 to n.
    """
    grid: list[list[NDArray[np.int64]]] = []
    total = 0
    for row in tiles:
        grid.append([])
        for tile in row:
            ids, inverse = np.unique(np.append(0, tile), return_inverse=True)
            unique = inverse[1:].reshape(tile.shape)
            grid[-1].append(np.where(unique > 0, unique + total, 0))
            total += len(ids) - 1
    pairs = [pair for one, other in _seams(grid) for pair in _facing(one, other)]
    ends = np.array(pairs, int).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), shape=(total + 1, total + 1))
    # Nothing is ever joined with the background, so its component is the first.
    _, component = connected_components(graph, directed=False)
    joined: NDArray[np.int32] = component.astype(np.int32)[stitch(grid)]
    return joined


def shrink_region(region: NDArray[np.bool_], factor: int) -> NDArray[np.bool_]:
    """The majority over the same blocks as in `shrink`; a tie is the region's."""
    height, width = region.shape[0] // factor, region.shape[1] // factor
    blocks = region[: height * factor, : width * factor].reshape(height, factor, width, factor)
    majority: NDArray[np.bool_] = blocks.sum(axis=(1, 3)) * 2 >= factor**2
    return majority


def _seams(grid: list[list[NDArray[np.int64]]]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The two lines of pixels along every seam between two tiles."""
    for row in grid:
        for left, right in pairwise(row):
            yield left[:, -1], right[:, 0]
    for above, below in pairwise(grid):
        for upper, lower in zip(above, below, strict=True):
            yield upper[-1], lower[0]


def _facing(one: NDArray[np.int64], other: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    both = (one > 0) & (other > 0)
    pairs, contacts = np.unique(np.stack([one[both], other[both]], axis=1), axis=0, return_counts=True)
    for (a, b), contact in zip(pairs, contacts, strict=True):
        if contact >= SEAM_SHARE * min((one == a).sum(), (other == b).sum()):
            yield a, b

"""Fills polygons as MATLAB's `poly2mask` does, since published instance masks were made with it."""

import numpy as np
from numpy.typing import NDArray

_SUB = 5  # poly2mask traces the outline on a grid of fifths of a pixel


def fill_polygon(vertices: NDArray[np.floating], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Mask of a closed polygon, even-odd rule, equal to MATLAB's `poly2mask`.

    The outline is rounded to a grid of fifths of a pixel and traced; a pixel whose centre column the trace
    crosses an odd number of times above its centre is inside.

    Args:
        vertices: (K, 2) x, y in pixels, where pixel (row, column) has its centre at (column + .5, row + .5):
            MATLAB's coordinates minus .5. Parts outside the image are cut off.
        shape: (H, W) of the mask.

    Returns:
        (H, W) bool.
    """
    height, width = shape
    if len(vertices) == 0:
        return np.zeros(shape, bool)
    corners = np.floor(np.asarray(vertices, np.float64) * _SUB + 0.5).astype(np.int64)
    xs, ys = _trace(np.vstack([corners, corners[:1]]))

    step = np.diff(xs)
    crossing = step != 0
    column = np.where(step < 0, xs[:-1] - 1, xs[:-1])[crossing]
    row = np.minimum(ys[:-1], ys[1:])[crossing]

    at_centre = (column % _SUB == _SUB // 2) & (column >= 0) & (column < width * _SUB)
    column = column[at_centre] // _SUB
    row = np.clip(-((_SUB // 2 - row[at_centre]) // _SUB), 0, height)
    toggles = np.zeros((height + 1, width), np.int64)
    np.add.at(toggles, (row, column), 1)
    inside: NDArray[np.bool_] = np.cumsum(toggles, axis=0)[:height] % 2 == 1
    return inside


def _trace(corners: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All grid points on the outline, in order; x and y of each."""
    start, stop = corners[:-1], corners[1:]
    span = np.abs(stop - start)
    steps = span.max(axis=1)
    # MATLAB draws every edge in ascending direction of its longer axis, which decides how halves are rounded.
    steep = span[:, 1] > span[:, 0]
    longer = steep.astype(int)
    edges = np.arange(len(start))
    flipped = start[edges, longer] > stop[edges, longer]
    low = np.where(flipped[:, None], stop, start)
    high = np.where(flipped[:, None], start, stop)

    edge = np.repeat(edges, steps + 1)
    along = np.arange(len(edge)) - np.repeat(np.cumsum(steps + 1) - (steps + 1), steps + 1)
    along = np.where(flipped[edge], steps[edge] - along, along)
    slope = (high - low) / np.maximum(steps, 1)[:, None]
    points = np.floor(low[edge] + slope[edge] * along[:, None] + 0.5).astype(np.int64)
    return points[:, 0], points[:, 1]

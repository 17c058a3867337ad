"""Shrinking by averaging over the area of each output pixel."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

NEAR = 1e-6


def whole(value: float) -> int | None:
    """The whole number a computed value stands for, None if it isn't one but for rounding."""
    near = round(value)
    return near if abs(value - near) <= NEAR else None


def area_average(
    pixels: NDArray[np.uint8], start: tuple[float, float], factor: float, width: int, height: int
) -> NDArray[np.uint8]:
    """(height, width, 3): the mean of (H, W, 3) `pixels` over boxes of `factor` pixels a side, from x, y = `start` on.

    Output pixel (r, c) covers columns [x + c * factor, x + (c + 1) * factor), rows alike; pixels that a box covers in
    part count in part. All boxes lie within `pixels`.
    """
    steps, x, y = whole(factor), whole(start[0]), whole(start[1])
    if steps is not None and x is not None and y is not None:
        inside = pixels[y : y + height * steps, x : x + width * steps]
        if steps == 1:
            return np.ascontiguousarray(inside)
        return np.asarray(cv2.resize(inside, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    rows = _boxes(start[1], factor, height, pixels.shape[0]) @ pixels.reshape(len(pixels), -1).astype(np.float32)
    turned = rows.reshape(height, -1, 3).swapaxes(0, 1).reshape(-1, height * 3)
    columns = _boxes(start[0], factor, width, pixels.shape[1]) @ turned
    means = np.rint(np.asarray(columns)).astype(np.uint8)
    return np.ascontiguousarray(means.reshape(width, height, 3).swapaxes(0, 1))


def _boxes(start: float, factor: float, count: int, size: int) -> sparse.csr_array:
    """(count, size): the share of each of `size` pixels in each of `count` boxes that follow each other."""
    edges = start + factor * np.arange(count + 1)
    first = np.clip(np.floor(edges[:-1] + NEAR), 0, size - 1).astype(int)
    covered = first[:, None] + np.arange(int(factor) + 2)
    share = np.minimum(covered + 1, edges[1:, None]) - np.maximum(covered, edges[:-1, None])
    inside = (share > NEAR) & (covered < size)
    share = np.where(inside, share, 0)
    share /= share.sum(1, keepdims=True)
    box = np.broadcast_to(np.arange(count)[:, None], covered.shape)
    values = share[inside].astype(np.float32)
    return sparse.csr_array((values, (box[inside], covered[inside])), shape=(count, size))

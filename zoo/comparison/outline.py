"""Outlines of masks as short SVG paths, which a report has room for where pictures would fill it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def outline(mask: NDArray[Any]) -> str:
    """The edges between the pixels of a mask, or of every object of a label map, as an SVG path.

    Args:
        mask: (H, W); what is not 0 belongs, and different numbers are different objects.

    Returns:
        Closed polygons in pixels, relative moves: `M3 4h2v1h-2z`; holes are rings, too (fill rule evenodd). Empty
        without objects.
    """
    numbers = np.unique(mask)
    compact = np.searchsorted(numbers[numbers != 0], mask) + 1
    boxes = ndimage.find_objects(np.where(mask != 0, compact, 0))
    return "".join(
        _path((compact[box] == number) & (mask[box] != 0), box[1].start, box[0].start)
        for number, box in enumerate(boxes, 1)
        if box
    )


def _path(mask: NDArray[np.bool_], left: int, top: int) -> str:
    """Of one object: contours of it at twice its size run around its pixels and not through their middles."""
    large = np.pad(mask.astype(np.uint8).repeat(2, 0).repeat(2, 1), 1)
    found, _ = cv2.findContours(large, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    text = ""
    for contour in found:
        # Pixel 1 and 2 of the doubled picture are the first one; their edges are at 0 and 1.
        points = contour[:, 0] // 2 + np.array([left, top])
        text += _ring(_corners(points))
    return text


def _corners(points: NDArray[Any]) -> NDArray[Any]:
    """Without repeated points, and those on a straight line between their neighbours."""
    points = points[np.any(points != np.roll(points, 1, 0), 1)]
    if len(points) < 3:
        return points
    before, after = points - np.roll(points, 1, 0), np.roll(points, -1, 0) - points
    turns: NDArray[Any] = points[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]]
    return turns


def _ring(points: NDArray[Any]) -> str:
    if len(points) < 3:
        return ""
    (x, y), steps = points[0].tolist(), np.diff(points, axis=0).tolist()
    moves = [f"h{dx}" if dy == 0 else f"v{dy}" if dx == 0 else f"l{dx} {dy}" for dx, dy in steps]
    return f"M{x} {y}{''.join(moves)}z"

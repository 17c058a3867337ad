"""Outlines of masks as short SVG paths, which a report has room for where pictures would fill it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from zoo.images.outlines import corners, polygons_of


def outline(mask: NDArray[Any]) -> str:
    """The edges between the pixels of a mask, or of every object of a label map, as an SVG path.

    Args:
        mask: (H, W); what is not 0 belongs, and different numbers are different objects.

    Returns:
        Closed polygons in pixels, relative moves: `M3 4h2v1h-2z`; holes are rings, too (fill rule evenodd). Empty
        without objects.
    """
    numbers = np.unique(mask)
    compact = np.where(mask != 0, np.searchsorted(numbers[numbers != 0], mask) + 1, 0)
    boxes = ndimage.find_objects(compact)
    return "".join(_path(compact[box] == number, box) for number, box in enumerate(boxes, 1))


def _path(mask: NDArray[np.bool_], box: tuple[slice, slice]) -> str:
    """Of one object, and where it lies in the picture."""
    polygons = polygons_of([corners(np.pad(mask, 1), (box[1].start, box[0].start))])
    return "".join(_ring(np.array(ring, np.int64)) for rings in polygons for ring in rings)


def _ring(points: NDArray[np.int64]) -> str:
    """Of a closed polygon whose edges run along rows and columns; the last one closes it."""
    (x, y), steps = points[0].tolist(), np.diff(points[:-1], axis=0).tolist()
    return f"M{x} {y}{''.join(f'h{dx}' if dx else f'v{dy}' for dx, dy in steps)}z"

"""Polygons of GeoJSON to masks, and back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from zoo.annotate.grid import PixelGrid
from zoo.annotate.messages import FARTHEST
from zoo.annotate.refused import RefusedError
from zoo.images.geojson import placed, polygons
from zoo.images.simplify import simplified

Geometry = dict[str, Any]
"""A Polygon or MultiPolygon of RFC 7946, in pixels of the image (level 0)."""
Mask = NDArray[np.bool_]

MOST_POINTS = 1_000_000
MOST_AT_ONCE = 2_000_000
"""Crossings of edges and rows, which take some eighty bytes each while they are filled."""


def checked(geometry: Any) -> Geometry:
    """A geometry that encloses something, of its points only x and y.

    Raises:
        RefusedError: another one, or one of coordinates that are none.
    """
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in ("Polygon", "MultiPolygon"):
        raise RefusedError(422, f"a geometry of type {str(kind)[:40]!r} has no area; give a Polygon or MultiPolygon")
    points = 0
    for ring in _rings(geometry):
        points += len(ring)
        if points > MOST_POINTS:
            raise RefusedError(413, f"a geometry of more than {MOST_POINTS} points; simplify it, or give it in parts")
    if not points:
        raise RefusedError(422, f"the {kind} is empty; give at least one ring of three points")
    shapes = [geometry["coordinates"]] if kind == "Polygon" else geometry["coordinates"]
    flat = [[[point[:2] for point in ring] for ring in rings] for rings in shapes]
    return {"type": kind, "coordinates": flat[0] if kind == "Polygon" else flat}


def bounds(geometry: Geometry) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 of a checked geometry."""
    points = np.concatenate(list(_rings(geometry)))
    (x0, y0), (x1, y1) = points.min(0).tolist(), points.max(0).tolist()
    return x0, y0, x1, y1


def mask_of(geometry: Geometry, grid: PixelGrid) -> Mask:
    """(H, W): the pixels whose centres lie in a checked geometry; of rings the even-odd rule."""
    rings = [(ring - np.array(grid.origin)) / grid.downsample for ring in _rings(geometry)]
    return filled(rings, grid.size)


def filled(rings: Sequence[NDArray[np.float64]], size: tuple[int, int]) -> Mask:
    """(H, W): the pixels whose centres lie within an odd number of rings (K, 2) of x, y."""
    height, width = size
    toggles = np.zeros((height, width + 1), np.int32)
    for ring in rings:
        start, stop = ring, np.roll(ring, -1, 0)
        # An edge crosses the rows whose centres lie between its ends.
        ends = np.ceil(np.stack([start[:, 1], stop[:, 1]]).clip(-1, height + 1) - 0.5).astype(np.int64)
        first, last = ends.min(0).clip(0, height), ends.max(0).clip(0, height)
        crossings = np.cumsum(last - first)
        cuts = np.searchsorted(crossings, np.arange(MOST_AT_ONCE, crossings[-1], MOST_AT_ONCE))
        for edges in np.split(np.arange(len(ring)), cuts):
            count = (last - first)[edges]
            edge = np.repeat(edges, count)
            row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
            (x0, y0), (x1, y1) = start[edge].T, stop[edge].T
            x = x0 + (row + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            column = np.ceil(x - 0.5).clip(0, width).astype(np.int64)
            np.add.at(toggles, (row, column), 1)
    inside: Mask = (np.cumsum(toggles, axis=1) % 2 == 1)[:, :width]
    return inside


def geometry_of(mask: Mask, grid: PixelGrid, exact: bool = False) -> Geometry | None:
    """The valid polygons of a mask (H, W); None of an empty one.

    Args:
        mask: which of the grid's pixels.
        grid: where they lie.
        exact: along the edges of pixels, so that `mask_of` gives the mask again; else simplified to half a pixel.
    """
    box = bounding_box(mask)
    if box is None:
        return None
    rows, columns = box
    shapes: Any = polygons(mask[box], (columns.start, rows.start))
    if not exact:
        (shapes,) = simplified([shapes])
    shapes = placed(shapes, grid.origin, grid.downsample)
    if len(shapes) == 1:
        return {"type": "Polygon", "coordinates": shapes[0]}
    return {"type": "MultiPolygon", "coordinates": shapes}


def bounding_box(mask: Mask) -> tuple[slice, slice] | None:
    """Rows and columns of what is set; None where nothing is."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return (slice(y, y + height), slice(x, x + width)) if width else None


def png(values: NDArray[np.uint8]) -> bytes:
    """(H, W) grey as a file, written fast."""
    return cv2.imencode(".png", values, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def mask_png(mask: Mask) -> bytes:
    """(H, W) as a file of 0 and 255."""
    return png(mask.view(np.uint8) * np.uint8(255))


def read_mask(content: bytes) -> Mask:
    """What `mask_png` wrote."""
    values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert values is not None  # written by this server
    inside: Mask = values > 0
    return inside


def _rings(geometry: Geometry) -> Iterator[NDArray[np.float64]]:
    """Each ring (K, 2), those of the holes too, without its last point where this is its first."""
    coordinates = geometry.get("coordinates")
    for rings in [coordinates] if geometry["type"] == "Polygon" else _listed(coordinates):
        for ring in _listed(rings):
            points = np.array([_point(each) for each in _listed(ring)], np.float64).reshape(-1, 2)
            if len(points) > 1 and (points[0] == points[-1]).all():
                points = points[:-1]
            if len(points) < 3:
                raise RefusedError(422, f"a ring of {len(points)} points encloses nothing; give at least three")
            yield points


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise RefusedError(422, "the coordinates of a geometry are lists of rings, which are lists of [x, y]")
    return value


def _point(value: Any) -> tuple[float, float]:
    two = value[:2] if isinstance(value, list) else []
    if len(two) < 2 or any(isinstance(each, bool) or not isinstance(each, int | float) for each in two):
        raise RefusedError(422, f"{value!r:.60} is no point of a ring; give [x, y] in pixels")
    if not all(-FARTHEST <= each <= FARTHEST for each in two) or any(math.isnan(each) for each in two):
        raise RefusedError(
            422, f"the point {str(value)[:60]} lies far from any image; coordinates are pixels of level 0"
        )
    return float(two[0]), float(two[1])

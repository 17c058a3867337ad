"""Label images as GeoJSON polygons, as QuPath reads them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from zoo.images.simplify import simplified

ObjectType = Literal["annotation", "detection"]
Ring = list[list[int]]
Vertex = tuple[int, int]

MOST_IDS = 1_000_000

# Edges run with the object on their right (y points down): right, down, left, up.
_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))


def feature_collection(
    labels: NDArray[np.integer],
    object_type: ObjectType = "annotation",
    *,
    exact: bool = False,
    mpp: float | None = None,
    probabilities: Mapping[int, float] | None = None,
    classes: Mapping[int, str] | None = None,
) -> dict[str, Any]:
    """One feature an object of a label image (H, W), 0 = background, in order of the ids, as QuPath 0.4 and later read.

    Polygons are valid: no ring crosses another or itself. Pixels that touch only diagonally are separate polygons of
    one MultiPolygon.

    Args:
        labels: the objects.
        object_type: what they become in QuPath.
        exact: polygons run along pixel edges, pixel (row r, column c) covers [c, c+1) x [r, r+1), so that filling them
            gives the label image again. Otherwise they are simplified to half a pixel, without what is smaller than a
            pixel; see `zoo.images.simplify`.
        mpp: micrometres per pixel, for the measurement 'Area \u00b5m^2'; without it, there is 'Area px^2' only.
        probabilities: mean probability of objects by their ids, for the measurement 'Probability'.
        classes: QuPath's class of objects by their ids.
    """
    ids, boxes = _boxes(labels)
    masks = [labels[box] == number for number, box in zip(ids, boxes, strict=True)]
    traced = [polygons(mask, (box[1].start, box[0].start)) for mask, box in zip(masks, boxes, strict=True)]
    objects: Sequence[Sequence[Any]] = traced if exact else simplified(traced)
    features = []
    for number, shapes, mask in zip(ids, objects, masks, strict=True):
        probability = None if probabilities is None else probabilities.get(number)
        name = None if classes is None else classes.get(number)
        features.append(feature(number, shapes, int(mask.sum()), object_type, mpp, probability, name))
    return {"type": "FeatureCollection", "features": features}


def feature(
    number: int,
    shapes: Sequence[Any],
    pixels: int,
    object_type: ObjectType = "annotation",
    mpp: float | None = None,
    probability: float | None = None,
    class_name: str | None = None,
) -> dict[str, Any]:
    """One object of `pixels` pixels from its polygons; see `feature_collection`."""
    many = len(shapes) > 1
    geometry = {"type": "MultiPolygon" if many else "Polygon", "coordinates": shapes if many else shapes[0]}
    properties: dict[str, Any] = {"objectType": object_type, "name": str(number)}
    if class_name is not None:
        properties["classification"] = {"name": class_name}
    properties["measurements"] = {"Area px^2": pixels}
    if mpp is not None:
        properties["measurements"]["Area \u00b5m^2"] = pixels * mpp**2
    if probability is not None:
        properties["measurements"]["Probability"] = probability
    identity = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{number} {json.dumps(geometry)}"))
    return {"type": "Feature", "id": identity, "geometry": geometry, "properties": properties}


def placed(shapes: Any, origin: tuple[float, float], downsample: float) -> Any:
    """Polygons of a part of an image in the image's pixels; `zoo.interactions.single.moved` leads the other way."""
    if origin == (0, 0) and downsample == 1:
        return shapes
    if isinstance(shapes[0], list):
        return [placed(each, origin, downsample) for each in shapes]
    return [start + each * downsample for start, each in zip(origin, shapes, strict=True)]


def _boxes(labels: NDArray[np.integer]) -> tuple[list[int], list[tuple[slice, ...]]]:
    """The ids of objects, in order, and their rows and columns."""
    if labels.size and int(labels.max()) > MOST_IDS:  # they are looked for one by one
        ids = np.unique(labels[labels != 0])
        compact = np.where(labels == 0, 0, np.searchsorted(ids, labels) + 1)
        return ids.tolist(), ndimage.find_objects(compact)
    found = {number: box for number, box in enumerate(ndimage.find_objects(labels), 1) if box is not None}
    return list(found), list(found.values())


def polygons(mask: NDArray[np.bool_], origin: Vertex = (0, 0)) -> list[list[Ring]]:
    """The polygons of a mask (H, W), each its outer ring and then its holes; rings are closed, x, y from `origin`.

    Every ring is simple: where one would touch itself in a vertex, it is split in two.
    """
    count, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    boxes = ndimage.find_objects(parts, count - 1)
    out = []
    for number, box in enumerate(boxes, 1):
        x, y = origin[0] + box[1].start, origin[1] + box[0].start
        loops = [_straightened(loop) for loop in _loops(parts[box] == number)]
        # A part has one outer ring, the only one around a positive area.
        loops.sort(key=_area, reverse=True)
        out.append([[[x + u, y + v] for u, v in [*loop, loop[0]]] for loop in loops])
    return out


def _loops(part: NDArray[np.bool_]) -> list[list[Vertex]]:
    """Simple closed paths along the pixel edges of a 4-connected mask."""
    leaving = _edges(part)
    loops = []
    while leaving:
        vertex = next(iter(leaving))
        path, place, direction = [vertex], {vertex: 0}, leaving[vertex][0]
        while path:
            ways = leaving[vertex]
            # Where two pixels touch diagonally, turn right: around the pixel the edge belongs to.
            right = (direction + 1) % 4
            direction = right if right in ways else ways[0]
            ways.remove(direction)
            if not ways:
                del leaving[vertex]
            vertex = (vertex[0] + _STEPS[direction][0], vertex[1] + _STEPS[direction][1])
            if vertex in place:
                first = place[vertex]
                loops.append(path[first:])
                for passed in path[first + 1 :]:
                    del place[passed]
                del path[first + 1 :]
                if first == 0 and vertex not in leaving:
                    break
            else:
                place[vertex] = len(path)
                path.append(vertex)
    return loops


def _edges(part: NDArray[np.bool_]) -> dict[Vertex, list[int]]:
    """The directions in which boundary edges leave each vertex."""
    padded = np.pad(part, 1)
    inside = padded[1:-1, 1:-1]
    neighbours = (padded[:-2, 1:-1], padded[1:-1, 2:], padded[2:, 1:-1], padded[1:-1, :-2])
    starts = ((0, 0), (1, 0), (1, 1), (0, 1))  # the corner at which a pixel's top, right, bottom, left edge begins
    leaving: dict[Vertex, list[int]] = {}
    for direction, (neighbour, (dx, dy)) in enumerate(zip(neighbours, starts, strict=True)):
        rows, columns = np.nonzero(inside & ~neighbour)
        for x, y in zip((columns + dx).tolist(), (rows + dy).tolist(), strict=True):
            leaving.setdefault((x, y), []).append(direction)
    return leaving


def _straightened(loop: list[Vertex]) -> list[Vertex]:
    """Only the corners."""
    before, after = loop[-1:] + loop[:-1], loop[1:] + loop[:1]
    return [
        b for a, b, c in zip(before, loop, after, strict=True) if not (a[0] == b[0] == c[0] or a[1] == b[1] == c[1])
    ]


def _area(loop: list[Vertex]) -> int:
    """Twice the signed area; positive with the inside on the right."""
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(loop, loop[1:] + loop[:1], strict=True))

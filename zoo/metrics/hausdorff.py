"""Hausdorff distances between the objects of two label maps, in pixels between pixel centres.

Two label maps without objects are at distance 0; if only one of them is without objects the distance is the
image's diagonal.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import find_objects
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

from zoo.metrics.instances import two_sided
from zoo.metrics.pairs import FloatArray, IntArray, PairTable, best_pairs, pair_table

# Below this many pairs of points a full distance matrix is faster than a tree.
_MATRIX_CELLS = 20_000


@dataclass(frozen=True)
class HausdorffSums:
    """What adds up over images: distances summed over objects, plain and weighted by area.

    Attributes:
        distance: sum over the target's objects (the diagonal if only the prediction has objects).
        objects: number of summands of `distance`.
        target: sum of area times distance over the target's objects.
        prediction: the same over the predicted objects.
    """

    distance: float
    objects: int
    target: float
    prediction: float


def hausdorff(prediction: ArrayLike, target: ArrayLike) -> float:
    """Mean over the target's objects of the distance to the prediction that overlaps it most.

    An object without overlap takes the prediction that is nearest by Hausdorff distance; without any
    prediction it takes the image's diagonal. The definition behind the nuclei tables of NuClick (2020).

    Args:
        prediction: (H, W) label map.
        target: (H, W) label map.
    """
    sums = hausdorff_sums(pair_table(prediction, target))
    return sums.distance / sums.objects if sums.objects else 0.0


def object_hausdorff(prediction: ArrayLike, target: ArrayLike) -> float:
    """Distance of every object to its counterpart, area-weighted, mean of both sides (GlaS, 2017).

    The counterpart is the object it overlaps most, else the nearest by Hausdorff distance.
    """
    table = pair_table(prediction, target)
    sums = hausdorff_sums(table)
    areas = int(table.target_areas.sum()), int(table.prediction_areas.sum())
    return two_sided(sums.target, sums.prediction, *areas, empty=0.0)


def hausdorff_sums(table: PairTable) -> HausdorffSums:
    """Sum the distances of all objects to their counterparts."""
    truth, predicted = _Side(table.target), _Side(table.prediction)
    of_truth = best_pairs(table.rows, table.intersections)
    of_predicted = best_pairs(table.columns, table.intersections)
    measured: dict[tuple[int, int], float] = {}
    for row, column in zip(
        table.rows[np.union1d(of_truth, of_predicted)].tolist(),
        table.columns[np.union1d(of_truth, of_predicted)].tolist(),
        strict=True,
    ):
        measured[row, column] = _distance(truth.shape(row), predicted.shape(column))

    def distances(objects: IntArray, others: IntArray, own: _Side, other: _Side, swap: bool) -> FloatArray:
        result = np.full(len(own), np.nan)
        keys = zip(*((others, objects) if swap else (objects, others)), strict=True)
        result[objects] = [measured[int(row), int(column)] for row, column in keys]
        for i in np.flatnonzero(np.isnan(result)).tolist():
            result[i] = _nearest(own.shape(i), other) if len(other) else table.diagonal
        return result

    to_predicted = distances(table.rows[of_truth], table.columns[of_truth], truth, predicted, swap=False)
    to_truth = distances(table.columns[of_predicted], table.rows[of_predicted], predicted, truth, swap=True)
    only_predicted = not len(truth) and len(predicted) > 0
    return HausdorffSums(
        distance=table.diagonal if only_predicted else float(to_predicted.sum()),
        objects=1 if only_predicted else len(truth),
        target=float(table.target_areas @ to_predicted),
        prediction=float(table.prediction_areas @ to_truth),
    )


@dataclass(frozen=True)
class _Shape:
    """One object, cropped to its bounding box.

    `rim` (N, 2) holds the first and last pixel of each of its rows and columns; `distance` (h, w) the
    distance of each pixel of the box to the object.
    """

    top: int
    left: int
    bottom: int
    right: int
    mask: NDArray[np.bool_]
    rim: IntArray
    distance: NDArray[np.float32]


@dataclass
class _Side:
    """The objects of one relabelled map; shapes are made when first asked for."""

    labels: IntArray
    boxes: list[tuple[slice, slice]] = field(init=False)
    bounds: IntArray = field(init=False)
    shapes: dict[int, _Shape] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.boxes = find_objects(self.labels)
        self.bounds = np.array([(r.start, c.start, r.stop, c.stop) for r, c in self.boxes], np.int64)

    def __len__(self) -> int:
        return len(self.boxes)

    def shape(self, i: int) -> _Shape:
        if i not in self.shapes:
            rows, columns = self.boxes[i]
            mask = self.labels[rows, columns] == i + 1
            self.shapes[i] = _Shape(
                rows.start, columns.start, rows.stop, columns.stop, mask, _rim(mask, rows.start, columns.start),
                cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE),
            )  # fmt: skip
        return self.shapes[i]


def _rim(mask: NDArray[np.bool_], top: int, left: int) -> IntArray:
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    n, m = len(rows), len(columns)
    rim = np.empty((2 * (n + m), 2), np.int64)
    rim[:n, 0], rim[:n, 1] = rows, mask.argmax(1)[rows]
    rim[n : 2 * n, 0], rim[n : 2 * n, 1] = rows, width - 1 - mask[:, ::-1].argmax(1)[rows]
    rim[2 * n : 2 * n + m, 0], rim[2 * n : 2 * n + m, 1] = mask.argmax(0)[columns], columns
    rim[2 * n + m :, 0], rim[2 * n + m :, 1] = height - 1 - mask[::-1].argmax(0)[columns], columns
    rim += (top, left)
    return rim


def _distance(a: _Shape, b: _Shape) -> float:
    return max(_directed(a, b), _directed(b, a))


def _directed(a: _Shape, b: _Shape) -> float:
    """Largest distance from a pixel of `a` to the nearest one of `b`.

    Pixels of `a` inside b's box read b's distance map. Outside it, moving away from the box along a row or
    column takes a pixel farther from all of `b`: only the rim of `a` can be farthest and only the rim of `b`
    nearest. So the cost does not depend on how far apart or how large the objects are.
    """
    farthest = 0.0
    r, c = a.rim[:, 0], a.rim[:, 1]
    outside = a.rim[(r < b.top) | (r >= b.bottom) | (c < b.left) | (c >= b.right)]
    if len(outside):
        if len(outside) * len(b.rim) <= _MATRIX_CELLS:
            farthest = float(np.sqrt(cdist(outside, b.rim, "sqeuclidean").min(1).max()))
        else:
            farthest = float(KDTree(b.rim).query(outside)[0].max())
    top, left, bottom, right = (
        max(a.top, b.top), max(a.left, b.left), min(a.bottom, b.bottom), min(a.right, b.right),
    )  # fmt: skip
    if top < bottom and left < right:
        inside = a.mask[top - a.top : bottom - a.top, left - a.left : right - a.left]
        distance = b.distance[top - b.top : bottom - b.top, left - b.left : right - b.left]
        farthest = max(farthest, float((distance * inside).max()))
    return farthest


def _nearest(shape: _Shape, others: _Side) -> float:
    """Hausdorff distance to the nearest of the others.

    No two shapes are nearer than their boxes' sides differ, so candidates in that order can be cut off.
    """
    bounds = np.abs(others.bounds - (shape.top, shape.left, shape.bottom, shape.right)).max(1)
    best = np.inf
    for i in np.argsort(bounds, kind="stable").tolist():
        if bounds[i] >= best:
            break
        best = min(best, _distance(shape, others.shape(i)))
    return best

"""The table of overlaps between two label maps, from which every instance metric is computed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zoo.errors import MetricError

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

# Above this many cells (256 MB) a dense table costs more than sorting the overlapping pixels.
_DENSE_CELLS = 2**25


@dataclass(frozen=True)
class PairTable:
    """Areas of all objects and intersections of all overlapping pairs of two label maps.

    Objects are numbered 0..T-1 and 0..P-1 in ascending order of their ids; pairs stand in the order of
    (target, prediction).

    Attributes:
        target: (H, W) int64, the target relabelled: 0 is background, object i is i + 1.
        prediction: (H, W) int64, the same for the prediction.
        target_ids: (T,) the ids as given.
        prediction_ids: (P,) the ids as given.
        target_areas: (T,) pixels.
        prediction_areas: (P,) pixels.
        rows: (N,) target object of each overlapping pair.
        columns: (N,) predicted object of each overlapping pair.
        intersections: (N,) pixels the pair shares, at least 1.
    """

    target: IntArray
    prediction: IntArray
    target_ids: IntArray
    prediction_ids: IntArray
    target_areas: IntArray
    prediction_areas: IntArray
    rows: IntArray
    columns: IntArray
    intersections: IntArray

    @property
    def unions(self) -> IntArray:
        """(N,) pixels in either object of each pair."""
        return self.target_areas[self.rows] + self.prediction_areas[self.columns] - self.intersections

    @property
    def ious(self) -> FloatArray:
        """(N,) Jaccard index of each pair, in (0, 1]."""
        return self.intersections / self.unions

    @property
    def diagonal(self) -> float:
        """Length of the image's diagonal in pixels."""
        return float(np.hypot(*self.target.shape))


def pair_table(prediction: ArrayLike, target: ArrayLike) -> PairTable:
    """Count the overlaps of two label maps.

    Args:
        prediction: (H, W) integers or booleans; 0 is background, ids are arbitrary positive numbers.
        target: the same, of the same size.

    Raises:
        MetricError: the sizes differ, a map is not 2-D, has no pixels or no integers, or an id is negative.
    """
    predicted, truth = _labels(prediction, "prediction"), _labels(target, "target")
    if predicted.shape != truth.shape:
        raise MetricError(
            f"The prediction is {_size(predicted)} and the target {_size(truth)} pixels (height x width). "
            "Give two label maps of one image at one size."
        )
    target_ids, truth = _compact(truth)
    prediction_ids, predicted = _compact(predicted)
    rows, columns, intersections = _overlaps(truth, predicted, len(target_ids), len(prediction_ids))
    return PairTable(
        target=truth,
        prediction=predicted,
        target_ids=target_ids,
        prediction_ids=prediction_ids,
        target_areas=np.bincount(truth.ravel(), minlength=len(target_ids) + 1)[1:],
        prediction_areas=np.bincount(predicted.ravel(), minlength=len(prediction_ids) + 1)[1:],
        rows=rows,
        columns=columns,
        intersections=intersections,
    )


def best_pairs(objects: IntArray, scores: IntArray | FloatArray) -> IntArray:
    """Index of the best pair of each object that has one; of equal scores the first pair wins.

    Args:
        objects: (N,) the object of each pair (rows or columns of a table).
        scores: (N,) larger is better.
    """
    order = np.lexsort((-scores, objects))
    return order[np.unique(objects[order], return_index=True)[1]]


def _labels(values: ArrayLike, name: str) -> IntArray:
    array = np.asarray(values)
    if array.ndim != 2 or not array.size:
        raise MetricError(f"The {name} has the shape {array.shape}. Give one label map of shape (H, W).")
    if array.dtype.kind not in "bui":
        raise MetricError(f"The {name} holds {array.dtype}. Label maps hold integers: an id for each object.")
    if int(array.max()) > np.iinfo(np.int64).max:
        raise MetricError(f"The {name} holds the id {array.max()}, which does not fit int64. Relabel it.")
    labels = array.astype(np.int64, copy=False)
    if labels.min() < 0:
        raise MetricError(f"The {name} holds the negative id {labels.min()}. Ids are positive, 0 is background.")
    return labels


def _compact(labels: IntArray) -> tuple[IntArray, IntArray]:
    """Sorted ids and the map with the ids replaced by 1..N."""
    highest = int(labels.max())
    if highest <= 4 * labels.size:
        present = np.bincount(labels.ravel(), minlength=1) > 0
        present[0] = False
        numbers = np.cumsum(present, dtype=np.int64)
        numbers[~present] = 0
        return np.flatnonzero(present).astype(np.int64, copy=False), numbers[labels]
    ids = np.unique(labels[labels > 0])
    return ids, np.where(labels > 0, np.searchsorted(ids, labels) + 1, 0)


def _overlaps(truth: IntArray, predicted: IntArray, n: int, k: int) -> tuple[IntArray, IntArray, IntArray]:
    """Rows, columns and counts of all pairs of foreground objects that share a pixel."""
    both = (truth > 0) & (predicted > 0)
    index = (truth[both] - 1) * k + predicted[both] - 1
    if n * k <= _DENSE_CELLS:
        counts = np.bincount(index, minlength=n * k)
        pairs = np.flatnonzero(counts)
        counts = counts[pairs]
    else:
        pairs, counts = np.unique(index, return_counts=True)
    rows, columns = np.divmod(pairs, max(k, 1))
    return rows, columns, counts


def _size(labels: IntArray) -> str:
    return "x".join(map(str, labels.shape))

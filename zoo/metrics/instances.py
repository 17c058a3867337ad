"""Overlap metrics of instance segmentation: AJI, AJI+, PQ, Dice, IoU, GlaS F1 and object Dice.

Each metric has two forms: a function of two label maps that returns the score, and a `..._sums` function of a
`PairTable` that returns what adds up over images. All scores lie in 0..1 and larger is better. Two label maps
without objects agree: every score is 1. If only one of them is without objects every score is 0.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from zoo.metrics.pairs import IntArray, PairTable, best_pairs, pair_table


class Panoptic(NamedTuple):
    """Detection, segmentation and panoptic quality."""

    dq: float
    sq: float
    pq: float


def aji(prediction: ArrayLike, target: ArrayLike) -> float:
    """Aggregated Jaccard index (Kumar et al. 2017): a prediction may serve several target objects.

    Args:
        prediction: (H, W) label map.
        target: (H, W) label map.
    """
    return ratio(*aji_sums(pair_table(prediction, target)))


def aji_plus(prediction: ArrayLike, target: ArrayLike) -> float:
    """Aggregated Jaccard index with one-to-one pairs of the largest summed IoU (Graham et al. 2019)."""
    return ratio(*aji_plus_sums(pair_table(prediction, target)))


def panoptic(prediction: ArrayLike, target: ArrayLike) -> Panoptic:
    """Panoptic quality (Kirillov et al. 2019): objects match if their IoU exceeds 0.5.

    Without any match SQ is 0, unless both maps are empty (1).
    """
    return panoptic_ratios(*panoptic_sums(pair_table(prediction, target)))


def dice(prediction: ArrayLike, target: ArrayLike) -> float:
    """Dice of the foregrounds: all objects pooled to one mask."""
    intersection, truth, predicted = foreground_sums(pair_table(prediction, target))
    return ratio(2 * intersection, truth + predicted)


def iou(prediction: ArrayLike, target: ArrayLike) -> float:
    """IoU of the foregrounds: all objects pooled to one mask."""
    intersection, truth, predicted = foreground_sums(pair_table(prediction, target))
    return ratio(intersection, truth + predicted - intersection)


def glas_f1(prediction: ArrayLike, target: ArrayLike) -> float:
    """Detection F1 of the GlaS challenge (Sirinukunwattana et al. 2017).

    A prediction is a true positive if it covers at least half of the target object it overlaps most.
    """
    return f1_ratio(*glas_sums(pair_table(prediction, target)))


def object_dice(prediction: ArrayLike, target: ArrayLike) -> float:
    """Dice of every object and the one it overlaps most, area-weighted, mean of both sides (GlaS)."""
    table = pair_table(prediction, target)
    sums = object_dice_sums(table)
    return two_sided(*sums, int(table.target_areas.sum()), int(table.prediction_areas.sum()), empty=1.0)


def aji_sums(table: PairTable) -> tuple[int, int]:
    """Aggregated intersection and union of AJI."""
    return _aggregate(table, best_pairs(table.rows, table.ious))


def aji_plus_sums(table: PairTable) -> tuple[int, int]:
    """Aggregated intersection and union of AJI+."""
    return _aggregate(table, _assign(table))


def panoptic_sums(table: PairTable) -> tuple[int, int, int, float]:
    """True positives, false positives, false negatives and the summed IoU of the matches."""
    ious = table.ious
    matched = ious[2 * table.intersections > table.unions]
    hits = len(matched)
    return hits, len(table.prediction_ids) - hits, len(table.target_ids) - hits, float(matched.sum())


def foreground_sums(table: PairTable) -> tuple[int, int, int]:
    """Pixels in both foregrounds, in the target's and in the prediction's."""
    return int(table.intersections.sum()), int(table.target_areas.sum()), int(table.prediction_areas.sum())


def glas_sums(table: PairTable) -> tuple[int, int, int]:
    """True positives, false positives and false negatives of the GlaS F1."""
    best = best_pairs(table.columns, table.intersections)
    rows = table.rows[best]
    found = rows[2 * table.intersections[best] >= table.target_areas[rows]]
    return len(found), len(table.prediction_ids) - len(found), len(table.target_ids) - len(np.unique(found))


def object_dice_sums(table: PairTable) -> tuple[float, float]:
    """Sums of area times Dice over the target's objects and over the predicted ones."""
    truth, predicted = table.target_areas[table.rows], table.prediction_areas[table.columns]
    scores = 2 * table.intersections / (truth + predicted)
    of_truth = best_pairs(table.rows, table.intersections)
    of_predicted = best_pairs(table.columns, table.intersections)
    return (
        float((truth * scores)[of_truth].sum()),
        float((predicted * scores)[of_predicted].sum()),
    )


def ratio(part: float, whole: float) -> float:
    """`part / whole`, or 1 if there is nothing to get wrong."""
    return part / whole if whole else 1.0


def f1_ratio(hits: float, false: float, missed: float) -> float:
    """F1 (equal to DQ) from true positives, false positives and false negatives."""
    return ratio(2 * hits, 2 * hits + false + missed)


def panoptic_ratios(hits: float, false: float, missed: float, iou_sum: float) -> Panoptic:
    """DQ, SQ and PQ from counts and the summed IoU of the matches."""
    dq = f1_ratio(hits, false, missed)
    sq = iou_sum / hits if hits else float(not (false or missed))
    return Panoptic(dq, sq, dq * sq)


def two_sided(truth: float, predicted: float, truth_area: float, predicted_area: float, empty: float) -> float:
    """Mean of both sides' area-weighted means; a side without objects is left out, `empty` if both are."""
    sides = [s / area for s, area in ((truth, truth_area), (predicted, predicted_area)) if area]
    return sum(sides) / len(sides) if sides else empty


def _aggregate(table: PairTable, pairs: IntArray) -> tuple[int, int]:
    rest_truth = np.delete(table.target_areas, table.rows[pairs])
    rest_predicted = np.delete(table.prediction_areas, table.columns[pairs])
    union = table.unions[pairs].sum() + rest_truth.sum() + rest_predicted.sum()
    return int(table.intersections[pairs].sum()), int(union)


def _assign(table: PairTable) -> IntArray:
    """Pairs of the one-to-one assignment with the largest sum of IoUs.

    Objects that no chain of overlaps connects can't compete, so each connected group is solved alone: the
    groups are tiny, where a dense (T, P) problem would take seconds.
    """
    n, k = len(table.target_ids), len(table.prediction_ids)
    if not len(table.rows):
        return np.empty(0, np.int64)
    graph = coo_array((np.ones(len(table.rows)), (table.rows, table.columns + n)), shape=(n + k, n + k))
    group = connected_components(graph, directed=False)[1][table.rows]
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    ious = table.ious
    chosen: list[IntArray] = []
    for pairs in np.split(order, starts[1:]):
        if len(pairs) == 1:
            chosen.append(pairs)
            continue
        rows, row = np.unique(table.rows[pairs], return_inverse=True)
        columns, column = np.unique(table.columns[pairs], return_inverse=True)
        if len(rows) == 1 or len(columns) == 1:
            chosen.append(pairs[[int(ious[pairs].argmax())]])
            continue
        scores, index = np.zeros((len(rows), len(columns))), np.full((len(rows), len(columns)), -1)
        scores[row, column], index[row, column] = ious[pairs], pairs
        picked = index[linear_sum_assignment(scores, maximize=True)]
        chosen.append(picked[picked >= 0])
    return np.concatenate(chosen)

"""All instance metrics of an image from one pair table, and their means over images."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from zoo.errors import MetricError
from zoo.metrics import instances as overlap
from zoo.metrics.hausdorff import hausdorff_sums
from zoo.metrics.pairs import FloatArray, pair_table

INSTANCE_METRICS = (
    "aji", "aji_plus", "dq", "sq", "pq", "dice", "iou", "hausdorff", "object_dice", "object_hausdorff", "f1",
)  # fmt: skip


@dataclass(frozen=True)
class InstanceStatistics:
    """What adds up over images: `a + b` are the statistics of both images together.

    Areas, intersections and unions are in pixels, distances in pixels; `..._weighted` are sums of area times
    score over the objects of one side.
    """

    intersection: float = 0.0
    target_area: float = 0.0
    prediction_area: float = 0.0
    aji_intersection: float = 0.0
    aji_union: float = 0.0
    aji_plus_intersection: float = 0.0
    aji_plus_union: float = 0.0
    true_positives: float = 0.0
    false_positives: float = 0.0
    false_negatives: float = 0.0
    iou_sum: float = 0.0
    glas_true_positives: float = 0.0
    glas_false_positives: float = 0.0
    glas_false_negatives: float = 0.0
    target_dice_weighted: float = 0.0
    prediction_dice_weighted: float = 0.0
    hausdorff_sum: float = 0.0
    hausdorff_objects: float = 0.0
    target_hausdorff_weighted: float = 0.0
    prediction_hausdorff_weighted: float = 0.0

    def __add__(self, other: Self) -> Self:
        return type(self)(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def row(self) -> FloatArray:
        """(F,) the fields in their order, float64."""
        return np.array(astuple(self), np.float64)

    @classmethod
    def from_row(cls, row: ArrayLike) -> Self:
        """The inverse of `row`."""
        return cls(*np.asarray(row, np.float64).tolist())

    def scores(self) -> dict[str, float]:
        """The metrics of `INSTANCE_METRICS`; 0..1, but the two Hausdorff distances in pixels."""
        areas = self.target_area, self.prediction_area
        dice_sides = self.target_dice_weighted, self.prediction_dice_weighted
        hausdorff_sides = self.target_hausdorff_weighted, self.prediction_hausdorff_weighted
        quality = overlap.panoptic_ratios(self.true_positives, self.false_positives, self.false_negatives, self.iou_sum)
        return {
            "aji": overlap.ratio(self.aji_intersection, self.aji_union),
            "aji_plus": overlap.ratio(self.aji_plus_intersection, self.aji_plus_union),
            "dq": quality.dq,
            "sq": quality.sq,
            "pq": quality.pq,
            "dice": overlap.ratio(2 * self.intersection, sum(areas)),
            "iou": overlap.ratio(self.intersection, sum(areas) - self.intersection),
            "hausdorff": self.hausdorff_sum / self.hausdorff_objects if self.hausdorff_objects else 0.0,
            "object_dice": overlap.two_sided(*dice_sides, *areas, empty=1.0),
            "object_hausdorff": overlap.two_sided(*hausdorff_sides, *areas, empty=0.0),
            "f1": overlap.f1_ratio(self.glas_true_positives, self.glas_false_positives, self.glas_false_negatives),
        }


STATISTICS = tuple(f.name for f in fields(InstanceStatistics))


def instance_statistics(prediction: ArrayLike, target: ArrayLike) -> InstanceStatistics:
    """Additive statistics of one image.

    Args:
        prediction: (H, W) label map; 0 is background, ids are arbitrary positive numbers.
        target: (H, W) label map of the same size.

    Raises:
        MetricError: see `pair_table`.
    """
    table = pair_table(prediction, target)
    distances = hausdorff_sums(table)
    return InstanceStatistics(
        *map(
            float,
            (
                *overlap.foreground_sums(table),
                *overlap.aji_sums(table),
                *overlap.aji_plus_sums(table),
                *overlap.panoptic_sums(table),
                *overlap.glas_sums(table),
                *overlap.object_dice_sums(table),
                distances.distance,
                distances.objects,
                distances.target,
                distances.prediction,
            ),
        )
    )


def score_instances(prediction: ArrayLike, target: ArrayLike) -> dict[str, float]:
    """All instance metrics of one image, keyed by `INSTANCE_METRICS`.

    Scores lie in 0..1; `hausdorff` and `object_hausdorff` are in pixels. Two maps without objects get 1 and
    the distance 0; if only one is without objects, 0 and the image's diagonal.

    Args:
        prediction: (H, W) label map; 0 is background, ids are arbitrary positive numbers.
        target: (H, W) label map of the same size.

    Raises:
        MetricError: see `pair_table`.
    """
    return instance_statistics(prediction, target).scores()


def overall_scores(images: Sequence[InstanceStatistics]) -> dict[str, dict[str, float]]:
    """The metrics of several images: `mean` over images, and `pooled` as if all were one image.

    Pooled AJI divides the summed intersections by the summed unions, PQ sums the counts and IoUs, Dice and IoU
    sum pixels, object metrics weigh every object by its area, Hausdorff counts every object once.

    Raises:
        MetricError: there are no images.
    """
    if not images:
        raise MetricError("No image to score. Give at least one prediction with its target.")
    scores = [image.scores() for image in images]
    return {
        "mean": {key: float(np.mean([score[key] for score in scores])) for key in INSTANCE_METRICS},
        "pooled": sum(images, InstanceStatistics()).scores(),
    }

"""Metrics of instance maps and of interactive sessions: functions, and torchmetrics classes over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import lazily
from zoo.metrics.hausdorff import hausdorff, object_hausdorff
from zoo.metrics.instances import Panoptic, aji, aji_plus, dice, glas_f1, iou, object_dice, panoptic
from zoo.metrics.interaction import auc, iou_at, mean_curve, noc, nof, reached, spi, summarise
from zoo.metrics.pairs import PairTable, pair_table
from zoo.metrics.statistics import (
    INSTANCE_METRICS,
    InstanceStatistics,
    instance_statistics,
    overall_scores,
    score_instances,
)

if TYPE_CHECKING:
    from zoo.metrics.modules import InstanceMetrics, InteractionMetrics, RegionMetrics

__all__ = [
    "INSTANCE_METRICS",
    "InstanceMetrics",
    "InstanceStatistics",
    "InteractionMetrics",
    "PairTable",
    "Panoptic",
    "RegionMetrics",
    "aji",
    "aji_plus",
    "auc",
    "dice",
    "glas_f1",
    "hausdorff",
    "instance_statistics",
    "iou",
    "iou_at",
    "mean_curve",
    "noc",
    "nof",
    "object_dice",
    "object_hausdorff",
    "overall_scores",
    "pair_table",
    "panoptic",
    "reached",
    "score_instances",
    "spi",
    "summarise",
]


# torchmetrics takes seconds, which the functions don't need.
__getattr__ = lazily(
    __name__,
    dict.fromkeys(("InstanceMetrics", "InteractionMetrics", "RegionMetrics"), "zoo.metrics.modules"),
)

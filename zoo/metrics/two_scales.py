"""Metrics of segmentation at two magnifications: IoU and the total number of clicks, with intervals over images."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.metrics.bootstrap import interval
from zoo.metrics.modules import SampleMetric
from zoo.metrics.regions import region_iou


class TwoScaleMetrics(SampleMetric):
    """IoU and clicks of images that were segmented at two magnifications (ZoomISEG, section 3.1.2).

    `iou` is the mean over images at the high magnification, `iou_pooled` that of all their pixels; `tnoc` all clicks at
    both magnifications, `noc` their mean over images, `noc_low` and `noc_high` those at either; `zooms` the parts that
    were looked at closer; `seconds` the time of all turns. `iou`, `tnoc`, `noc` and `seconds` have 95 % intervals over
    images, `iou_from` to `iou_to` and so on: those of sums are of the mean, times the number of images. With a single
    image there are none.
    """

    def __init__(self) -> None:
        super().__init__({"pixels": 3, "counts": 4})

    def update(self, sample_id: Tensor, pixels: Tensor, counts: Tensor) -> None:
        """Add images.

        Args:
            sample_id: (B,) integers: an image given twice counts once.
            pixels: (B, 3) of `overlap_pixels` at the high magnification.
            counts: (B, 4) clicks at the low magnification, at the high one, closer looks, seconds.
        """
        self.add(sample_id, pixels=pixels, counts=counts)

    def compute(self) -> dict[str, Tensor]:
        """Metrics by name, float64 scalars."""
        rows = self.gathered()
        low, high, zooms, seconds = rows["counts"].T
        pixels = torch.from_numpy(rows["pixels"])
        ious, count = region_iou(pixels).numpy(), len(low)
        found = {
            "iou": float(ious.mean()),
            "iou_pooled": float(region_iou(pixels.sum(0, keepdim=True))),
            "tnoc": float((low + high).sum()),
            "noc": float((low + high).mean()),
            "noc_low": float(low.mean()),
            "noc_high": float(high.mean()),
            "zooms": float(zooms.mean()),
            "seconds": float(seconds.sum()),
            "images": float(count),
        }
        for name, values, times in (
            ("iou", ious, 1),
            ("tnoc", low + high, count),
            ("noc", low + high, 1),
            ("seconds", seconds, count),
        ):
            for end, value in zip(("from", "to"), interval(values, rows["sample_id"]), strict=True):
                if value is not None:
                    found[f"{name}_{end}"] = value * times
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in found.items()}

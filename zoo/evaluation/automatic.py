"""The automatic protocol: what a method says before anybody interacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from zoo.data.batch import Batch
from zoo.data.datasets import Samples, kind_name
from zoo.data.windows import GridWindows
from zoo.evaluation.clock import now
from zoo.evaluation.interactive import iou
from zoo.evaluation.protocol import Protocol, resolution
from zoo.evaluation.record import Record
from zoo.inference.engine import Engine
from zoo.inference.session import Session
from zoo.interactions import Interactions
from zoo.metrics.modules import RegionMetrics


@dataclass(frozen=True)
class Masks:
    """Masks (B, 1, H, W) bool of a batch, their IoUs (B,), and the seconds they took together."""

    sample_id: Tensor
    image_id: Tensor
    mask: Tensor
    iou: Tensor
    seconds: float


class Automatic(Protocol[RegionMetrics, Masks]):
    """Segments each sample without any interaction: IoU pooled over all pixels, and its mean over samples.

    Args:
        samples: kind of what is segmented: `zoo.data.WholeImages` (or stored patches), or windows of them; None:
            `zoo.data.GridWindows`.
    """

    name = "automatic"
    ranked_by = "IoU"
    unit = "image"

    def __init__(self, samples: Samples | None = None) -> None:
        self.samples = samples or GridWindows

    def metric(self) -> RegionMetrics:
        """Pooled and mean IoU and Dice."""
        return RegionMetrics()

    def run(self, engine: Engine, batch: Batch) -> Masks:
        """Segment one batch."""
        image, truth = batch.image, batch.truth
        began = now(image.device)
        session = Session(engine, image.device, undoable=False)
        session.set_image(image, mpp=resolution(engine, batch))
        mask = session.mask
        seconds = now(image.device) - began
        return Masks(truth.sample_id.cpu(), batch.image_id.cpu(), mask, iou(mask, truth).cpu(), seconds)

    def score(self, metric: RegionMetrics, outcome: Masks, batch: Batch) -> None:
        """Add a batch of masks."""
        truth = batch.truth
        metric.update(outcome.mask, truth.target, truth.ignore, truth.sample_id)

    def records(self, outcome: Masks, batch: Batch) -> list[Record]:
        """One record a sample."""
        masks, nothing = outcome.mask.cpu().numpy(), Interactions.empty(1, batch.truth.size)
        share = outcome.seconds / len(masks)
        return [
            Record(int(sample), int(image), float(score), (), (share,), nothing, mask[0])
            for sample, image, score, mask in zip(outcome.sample_id, outcome.image_id, outcome.iou, masks, strict=True)
        ]

    def predictions(self, outcome: Masks) -> dict[int, NDArray[np.uint8]]:
        """The mask of each sample, 255 inside."""
        masks = outcome.mask[:, 0].cpu().numpy().astype(np.uint8) * 255
        return dict(zip(outcome.sample_id.tolist(), masks, strict=True))

    @property
    def settings(self) -> Mapping[str, str | int | float | None]:
        """What a sample is."""
        return {"samples": kind_name(self.samples)}

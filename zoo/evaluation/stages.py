"""Pictures of a sample: image, target, and what an evaluation shows of its course."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.data.batch import Batch
from zoo.evaluation.protocol import Protocol
from zoo.evaluation.record import Record
from zoo.images.drawing import fitting_scale, overlay, square
from zoo.inference.engine import Engine
from zoo.ops.frame import Frame

SMALLEST, PANEL_SIDE = 48, 480
# Regions are shown with all that a mask may wrongly cover, unless the image is larger than this.
LARGEST_WHOLE = 1024

Panel = tuple[str, NDArray[np.uint8]]
"""A caption and its picture."""


@dataclass(frozen=True)
class Mark:
    """A click as a picture shows it.

    Attributes:
        x: of the picture's width, 0 to 1.
        y: of its height.
        turn: 1 is the first.
        positive: its label.
    """

    x: float
    y: float
    turn: int
    positive: bool


def stage_pictures(protocol: Protocol[Any, Any], engine: Engine, batch: Batch, records: list[Record]) -> list[Panel]:
    """Captions and pictures of one sample's stages under a protocol; `records` holds its one record."""
    return drawn(protocol, batch, protocol.stages(engine, batch, records))


def drawn(protocol: Protocol[Any, Any], batch: Batch, stages: Mapping[str, list[Record]]) -> list[Panel]:
    """Captions and pictures of the stages of a batch of one, which hold one record each."""
    image, target = _image_and_target(batch)
    region = batch.truth.instances is None
    return [
        (_caption(stage, record, protocol.ranked_by), _picture(image, target, record, region))
        for stage, (record,) in stages.items()
    ]


def marks(batch: Batch, record: Record) -> list[Mark]:
    """The clicks of a session that `drawn` shows, and their turns; none under protocols without turns."""
    if record.initial is None:
        return []
    _, target = _image_and_target(batch)
    rows, columns = _part(target, batch.truth.instances is None)
    height, width = target[rows, columns].shape
    places = [
        Mark((x - columns.start) / width, (y - rows.start) / height, int(turn) + 1, label == 1)
        for x, y, label, turn in record.interactions.points[0].tolist()
        if label >= 0
    ]
    return [mark for mark in places if 0 <= mark.x < 1 and 0 <= mark.y < 1]


def truth_pictures(batch: Batch) -> list[Panel]:
    """The image alone, and with the target's outline, of a batch of one."""
    image, target = _image_and_target(batch)
    region = batch.truth.instances is None
    return [
        ("image", _picture(image, target, None, region, outlined=False)),
        ("target", _picture(image, target, None, region)),
    ]


def shown_part(batch: Batch) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[slice, slice]]:
    """Image (H, W, 3) and label map (H, W) of a batch of one, and the rows and columns of them that pictures show."""
    image, target = _image_and_target(batch)
    return image, target, _part(target, batch.truth.instances is None)


def _image_and_target(batch: Batch) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Image (H, W, 3) and label map (H, W) of what is to be segmented, of a batch of one."""
    truth = batch.truth
    ids = torch.ones_like(truth.target, dtype=torch.int64) if truth.instances is None else truth.instances
    return batch.image[0].permute(1, 2, 0).cpu().numpy(), torch.where(truth.target, ids, 0)[0, 0].cpu().numpy()


def _part(target: NDArray[np.int64], region: bool) -> tuple[slice, slice]:
    """Rows and columns that a picture shows."""
    whole = region and max(target.shape) <= LARGEST_WHOLE
    return (slice(0, target.shape[0]), slice(0, target.shape[1])) if whole else square(target, SMALLEST)


def _caption(stage: str, record: Record, score: str) -> str:
    last = record.ious[-1] if record.ious else record.initial
    number = f"{score} {record.score:.3f}" if last is None else f"IoU {last:.3f}"
    return f"{stage}, {number}" if stage else number


def _picture(
    image: NDArray[np.uint8], target: Any, record: Record | None, region: bool, outlined: bool = True
) -> NDArray[np.uint8]:
    """What lies around the target, or the whole image of a region, enlarged and drawn on."""
    part = _part(target, region)
    image, target = image[part], target[part]
    scale = fitting_scale(image.shape[0], image.shape[1], PANEL_SIDE)
    # Around one region a wider line hides little; small objects need a thin one.
    width = max(1 if len(np.unique(target)) > 2 else 2, scale // 3)
    if record is None:
        return overlay(image, target if outlined else None, scale=scale, width=width)
    rows, columns = part
    zero = torch.zeros(len(record.interactions), dtype=torch.float64)
    frame = Frame(zero + columns.start, zero + rows.start, zero + 1, (image.shape[0], image.shape[1]))
    prediction = None if record.prediction is None else record.prediction[part]
    return overlay(image, target, prediction, record.interactions.through(frame), scale, width)

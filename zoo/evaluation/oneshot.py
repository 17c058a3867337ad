"""The one-shot protocol: one click or squiggle for every object of an image, judged as an instance map."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from zoo.data.batch import Batch
from zoo.data.datasets import WholeImages
from zoo.evaluation.clock import now
from zoo.evaluation.protocol import Protocol, resolution
from zoo.evaluation.record import Record
from zoo.inference.engine import Engine
from zoo.inference.given import GivenObjects
from zoo.inference.oneshot import OneShot
from zoo.inference.resolution import working_frame
from zoo.inference.working import WorkingImage
from zoo.interactions import Interactions
from zoo.metrics.instances import aji
from zoo.metrics.modules import InstanceMetrics
from zoo.ops.frame import Frame
from zoo.users.base import SimulatedUser, Truth
from zoo.users.centroid import Centroid


@dataclass(frozen=True)
class InstanceMap:
    """The result for one image: prediction and target (H, W), what was said for each object, and the time it took."""

    sample_id: int
    prediction: Tensor
    target: Tensor
    interactions: Interactions
    seconds: float


class OneShotProtocol(Protocol[InstanceMetrics, list[InstanceMap]]):
    """Clicks every object once and scores the instance map: AJI, Dice, SQ, PQ, Hausdorff.

    Args:
        user: says something for each object; None: clicks its centroid.
        oneshot: how the objects are segmented.
    """

    name = "one-shot"
    samples = WholeImages
    ranked_by = "AJI"
    unit = "object"

    def __init__(self, user: SimulatedUser | None = None, oneshot: OneShot | None = None) -> None:
        self.user = user or Centroid()
        self.oneshot = oneshot or OneShot()

    def metric(self) -> InstanceMetrics:
        """Metrics of instance maps over all images."""
        return InstanceMetrics()

    def run(self, engine: Engine, batch: Batch) -> list[InstanceMap]:
        """Segment each image of the batch."""
        out = []
        for i in range(len(batch)):
            one = batch.truth.select(torch.tensor([i], device=batch.image.device))
            assert one.instances is not None
            said = click_objects(self.user, one, batch.image.device)
            began = now(batch.image.device)
            frame = working_frame(1, one.size, resolution(engine, batch), engine.mpp, batch.image.device)
            image = WorkingImage(batch.image[i : i + 1], frame)
            prediction = self.oneshot.likeliest(engine, image, GivenObjects.of(said))[0].int()
            seconds = now(batch.image.device) - began
            target = one.instances[0, 0].cpu()
            out.append(InstanceMap(int(one.sample_id), prediction, target, said, seconds))
        return out

    def score(self, metric: InstanceMetrics, outcome: list[InstanceMap], batch: Batch) -> None:
        """Add an instance map an image."""
        for each in outcome:
            metric.update(each.prediction, each.target, each.sample_id)

    @property
    def settings(self) -> Mapping[str, str | int | float | None]:
        """The user. What a method makes of the same clicks (exclusion, jitters) is its own affair."""
        return {"user": repr(self.user)}

    def records(self, outcome: list[InstanceMap], batch: Batch) -> list[Record]:
        """One record an image."""
        return [
            Record(
                sample_id=each.sample_id,
                image_id=each.sample_id,
                score=aji(each.prediction.numpy(), each.target.numpy()),
                ious=(),
                seconds=(each.seconds,),
                interactions=each.interactions.to("cpu"),
                prediction=each.prediction.numpy(),
            )
            for each in outcome
        ]

    def predictions(self, outcome: list[InstanceMap]) -> dict[int, NDArray[Any]]:
        """The instance map of each image; its ids count the target's objects in the order of their ids."""
        return {each.sample_id: each.prediction.numpy() for each in outcome}


def click_objects(user: SimulatedUser, truth: Truth, device: torch.device, chunk: int = 128) -> Interactions:
    """What `user` says in its first turn for every object of one image, one sample an object, in order of the ids.

    The user looks at windows of the image that hold the whole object and all that it may say of it, so that no
    full-size mask per object is made. What it says beyond the image is moved to its edge.
    """
    assert truth.instances is not None
    labels = truth.instances
    ids = [int(v) for v in labels.unique().tolist() if v > 0]  # type: ignore[no-untyped-call]
    compact = torch.zeros_like(labels)
    if ids:
        position = torch.searchsorted(torch.tensor(ids, device=device), labels.clamp(min=0))
        known = torch.tensor(ids, device=device)[position.clamp(max=len(ids) - 1)] == labels
        compact = torch.where(known, position + 1, 0)
    boxes = ndimage.find_objects(compact[0, 0].cpu().numpy())
    parts = []
    for first in range(0, len(ids), chunk):
        rows = boxes[first : first + chunk]
        x = torch.tensor([(b[1].start + b[1].stop) / 2 for b in rows], device=device)
        y = torch.tensor([(b[0].start + b[0].stop) / 2 for b in rows], device=device)
        extent = max(max(b[0].stop - b[0].start, b[1].stop - b[1].start) for b in rows)
        side = extent + 2 * math.ceil(user.beyond(extent)) + 4
        frame = _within(Frame.around(x, y, side, truth.size), truth.size)
        instances = frame.crop(labels, "nearest")
        object_id = torch.tensor(ids[first : first + chunk], device=device)
        window = Truth(
            target=instances == object_id[:, None, None, None],
            sample_id=truth.sample_id * 100_003 + torch.arange(first, first + len(rows), device=device),
            instances=instances,
            object_id=object_id,
        )
        nothing = Interactions.empty(len(rows), frame.size, device)
        new = user(torch.zeros_like(window.target), window, nothing, 0)
        parts.append(_in_image(new.through(frame.inverse(truth.size))))
    return Interactions.cat(parts) if parts else Interactions.empty(0, truth.size, device)


def _within(frame: Frame, size: tuple[int, int]) -> Frame:
    """Windows without what lies outside: a user would take it for a place that is not the object's."""
    height, width = (min(side, length) for side, length in zip(frame.size, size, strict=True))
    return replace(frame, x0=frame.x0.clamp(min=0), y0=frame.y0.clamp(min=0), size=(height, width))


def _in_image(said: Interactions) -> Interactions:
    """With clicks and boxes moved inside the image, clicks to pixel centres."""
    limit = said.points.new_tensor(said.size[::-1])
    points, boxes = said.points.clone(), said.boxes.clone()
    given = points[..., 2:3] >= 0
    points[..., :2] = torch.where(given, torch.minimum(points[..., :2].clamp(min=0.5), limit - 0.5), points[..., :2])
    boxes[..., :4] = torch.minimum(boxes[..., :4].clamp(min=0), limit.repeat(2))
    return replace(said, points=points, boxes=boxes)

"""The zoom protocol: a session at a low magnification, and closer looks at a high one (ZoomISEG, Algorithm 1)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import copy
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.data.batch import Batch
from zoo.data.datasets import Samples, kind_name
from zoo.data.pairs import PairedImages
from zoo.errors import ConfigError
from zoo.evaluation.clock import now
from zoo.evaluation.closest import Nearest, nearest
from zoo.evaluation.interactive import iou
from zoo.evaluation.protocol import Figure, Protocol, resolution
from zoo.evaluation.record import Record
from zoo.evaluation.zoom_pictures import error_picture, probability_pictures, truth_picture
from zoo.evaluation.zoomed import Look, Why, Zoomed, tiles
from zoo.inference.children import ChildSession, ParentSession
from zoo.inference.engine import Engine, Scales
from zoo.inference.session import Session
from zoo.interactions import Box, Click, Interactions
from zoo.metrics.regions import overlap_pixels, region_iou
from zoo.metrics.two_scales import TwoScaleMetrics
from zoo.ops.frame import Frame, Slices
from zoo.users.base import SimulatedUser, Truth
from zoo.users.next_click import NextClick


class ZoomSimulation(Protocol[TwoScaleMetrics, list[Zoomed]]):
    """Segments pairs as a person would who looks closer where that is needed: ZoomISEG's Algorithm 1.

    The user clicks on the low image. After each click, if the smallest distance d between any two of its clicks and
    the IoU q of the low mask say so, `(d < d_thr and q_thr < q < q_max) or d < d_min`, the part of the high image
    around the middle of these two clicks is opened, begins with the low mask there, and is clicked on in turn. In the
    end the low mask is cubically enlarged and the parts are pasted in, later ones on top. What the method has decides
    the rest (`Engine.scales`, `zoo.methods.TwoScales`): without a high engine nothing is opened; without a low one the
    high image is cut into the fewest equal tiles of at most `patch` x `patch` pixels, each segmented from nothing.

    The paper leaves three things open. Here:

    - the distance of a single click is infinite;
    - two clicks that have been looked at closer are not looked at again: d is the smallest distance of the other pairs;
    - an image, a part and a tile are done when the IoU of their mask is at least `q_max`, before the first click too,
      when the user has nothing to say, or after `max_clicks` clicks on it. The condition above is looked at before.

    Distances are in pixels of a low image of `reference` x `reference`. For other images they are multiplied with the
    square root of height times width over `reference`: a field of 387 x 261 is looked at closer below 15.5 and 77.6
    pixels. `settings` say this, and each trace says the factor.

    Args:
        user: clicks at both magnifications; None: the next click (centre of the largest error).
        d_min: distance below which a part is looked at whatever the mask, in low pixels.
        d_thr: distance below which a part is looked at when the mask is good, in low pixels.
        q_thr: IoU above which a mask is good.
        q_max: IoU at which an image or a part is done.
        max_clicks: on the low image, and on each part (NoC_max).
        patch: side of the parts, in pixels of the high image; at the image's edge they are moved inside. The paper's
            1024 are a quarter of a low image's side; choose about what the high method was trained on.
        reference: side of the images that the distances are meant for; None: they are taken as they are.
        samples: kind of the pairs; None: `zoo.data.PairedImages`.
    """

    name = "zoom"
    ranked_by = "IoU"
    unit = "interaction"

    def __init__(
        self,
        user: SimulatedUser | None = None,
        d_min: float = 50.0,
        d_thr: float = 250.0,
        q_thr: float = 0.85,
        q_max: float = 0.95,
        max_clicks: int = 20,
        patch: int = 1024,
        reference: int | None = 1024,
        samples: Samples | None = None,
    ) -> None:
        if not 0 <= q_thr < q_max <= 1:
            raise ConfigError(f"q_thr={q_thr} and q_max={q_max} are IoUs, the first below the second; e.g. 0.85, 0.95")
        if not 0 <= d_min <= d_thr:
            raise ConfigError(f"d_min={d_min} and d_thr={d_thr} are distances, the first not above the second")
        if max_clicks < 1 or patch < 1 or (reference is not None and reference < 1):
            raise ConfigError(f"max_clicks={max_clicks}, patch={patch} and reference={reference} must be at least 1")
        self.user = user or NextClick()
        if self.user.gives != Click.kind:
            raise ConfigError(f"{self.user!r} gives a {self.user.gives}; between clicks alone there are distances")
        self.d_min, self.d_thr, self.q_thr, self.q_max = d_min, d_thr, q_thr, q_max
        self.max_clicks, self.patch, self.reference = max_clicks, patch, reference
        self.samples = samples or PairedImages

    @property
    def settings(self) -> Mapping[str, str | int | float | None]:
        """The user, the thresholds, and how distances scale."""
        how = "as they are"
        if self.reference is not None:
            how = f"of {self.reference} px, times sqrt(height x width) / {self.reference}"
        return {
            "user": repr(self.user),
            "d_min": self.d_min,
            "d_thr": self.d_thr,
            "distances": how,
            "q_thr": self.q_thr,
            "q_max": self.q_max,
            "max_clicks": self.max_clicks,
            "patch": self.patch,
            "samples": kind_name(self.samples),
        }

    def metric(self) -> TwoScaleMetrics:
        """IoU and clicks of all images."""
        return TwoScaleMetrics()

    def score(self, metric: TwoScaleMetrics, outcome: list[Zoomed], batch: Batch) -> None:
        """Add images."""
        for each in outcome:
            low = len(each.low_ious)
            counts = [low, len(each.ious) - low, len(each.looks), sum(each.seconds)]
            metric.update(torch.tensor([each.sample_id]), each.pixels, torch.tensor([counts], dtype=torch.float64))

    def records(self, outcome: list[Zoomed], batch: Batch) -> list[Record]:
        """One record an image."""
        return [
            Record(
                sample_id=each.sample_id,
                image_id=each.image_id,
                score=float(region_iou(each.pixels)),
                ious=tuple(each.ious),
                seconds=tuple(each.seconds),
                interactions=each.interactions,
                prediction=each.mask[0, 0].cpu().numpy(),
                initial=each.initial,
                more=each.trace,
            )
            for each in outcome
        ]

    def predictions(self, outcome: list[Zoomed]) -> dict[int, NDArray[np.uint8]]:
        """The mask of each image at the high magnification, 255 inside."""
        return {each.sample_id: each.mask[0, 0].cpu().numpy().astype(np.uint8) * 255 for each in outcome}

    def brief(self) -> ZoomSimulation:
        """Two clicks at most on everything."""
        shorter = copy(self)
        shorter.max_clicks = min(2, self.max_clicks)
        return shorter

    def figures(self, engine: Engine, batch: Batch, record: Record) -> dict[str, Figure]:
        """Errors of the mask (Figure 4), and the low probability after some clicks (Figure 3)."""
        truth = truth_picture(batch)
        clicks = f"{len(record.ious)} click{'' if len(record.ious) == 1 else 's'}"
        errors = Figure(
            "Errors at the high magnification: missing pixels red, excess ones blue; framed: what was looked at.",
            truth,
            [(f"IoU {record.score:.3f}, {clicks}", error_picture(batch, record))],
        )
        low = engine.scales.low
        if low is None or batch.low is None:
            return {"errors": errors}
        mpp = resolution(low, batch.low)
        probability = Figure(
            "Probability at the low magnification after some clicks: black 0, white 1.",
            [],
            probability_pictures(low, self.user, batch.low, mpp, [n for n in (1, 3, 10) if n <= self.max_clicks]),
        )
        return {"errors": errors, "probability": probability}

    def factor(self, size: tuple[int, int]) -> float:
        """What distances are multiplied with for a low image of this height and width."""
        return 1.0 if self.reference is None else math.sqrt(size[0] * size[1]) / self.reference

    def run(self, engine: Engine, batch: Batch) -> list[Zoomed]:
        """Segment each image of a batch.

        Raises:
            ConfigError: the samples are no pairs.
        """
        if batch.low is None or batch.frame is None:
            raise ConfigError("the zoom protocol needs pairs; set `protocol.init_args.samples: zoo.data.PairedImages`")
        out = []
        for i in range(len(batch)):
            index = torch.tensor([i], device=batch.image.device)
            low = _one(batch.low, index)
            high = replace(_one(batch, index), low=low, frame=batch.frame.select(index))
            out.append(self._run(engine.scales, high, low))
        return out

    def _run(self, scales: Scales, high: Batch, low: Batch) -> Zoomed:
        size = high.truth.size
        found = Zoomed(int(high.truth.sample_id), int(high.image_id), self.factor(low.truth.size), size)
        found.mask = self._alone(scales.high, high, found) if scales.low is None else self._both(scales, high, found)
        found.pixels = overlap_pixels(found.mask, high.truth.target, high.truth.ignore).cpu()
        return found

    def _both(self, scales: Scales, high: Batch, found: Zoomed) -> Tensor:
        """The low image, and what is looked at closer if anything can."""
        low, frame = high.low, high.frame
        assert low is not None  # `run` looked
        assert frame is not None
        assert scales.low is not None
        device = high.image.device
        session = ParentSession(
            scales.low, scales.high or scales.low, device, undoable=False, down=scales.down, up=scales.up
        )
        fine = None if scales.high is None else resolution(scales.high, high)
        session.set_images(low.image, high.image, frame, resolution(scales.low, low), fine)
        mask = session.low_mask
        quality = float(iou(mask, low.truth))
        found.initial = float(iou(session.mask, high.truth))
        clicks: list[tuple[float, float]] = []
        done: set[tuple[int, int]] = set()
        for turn in range(self.max_clicks):
            if quality >= self.q_max:
                break
            new = self.user(mask, low.truth, session.parent.interactions, turn)
            if not bool(new.spoken):
                break
            began = now(device)
            mask = session.add(new)
            found.seconds.append(now(device) - began)
            quality = float(iou(mask, low.truth))
            found.low_ious.append(quality)
            found.said += _clicks(new.through(frame))
            found.ious.append(float(iou(session.mask, high.truth)))
            clicks += [(x, y) for x, y, _ in _clicks(new)]
            near = nearest(clicks, done)
            why = self.why(near.distance / found.factor, quality)
            if scales.high is None or why is None:
                continue
            done.add(near.pair)
            box = self._around(near, frame)
            began = now(device)
            child = session.zoom(box)
            _ = child.mask
            found.seconds[-1] += now(device) - began
            look = Look(turn + 1, why, child.place, _corners(child.box), near, quality)
            found.looks.append(look)
            self._look(child, look, high.truth, found, session)
        return session.mask

    def why(self, distance: float, quality: float) -> Why | None:
        """Why a part is looked at closer, if it is.

        Args:
            distance: the smallest one, in pixels of an image of `reference` px.
            quality: IoU of the low mask.
        """
        if distance < self.d_min:
            return "small"
        return "detail" if distance < self.d_thr and self.q_thr < quality < self.q_max else None

    def _alone(self, engine: Engine | None, high: Batch, found: Zoomed) -> Tensor:
        """Every tile of the high image by itself."""
        assert engine is not None  # one of the two is there
        assert high.frame is not None
        images = high.image
        places = tiles(found.size, self.patch)
        whole = torch.zeros_like(high.truth.target)
        sessions = []
        for place in places:
            session = Session(engine, images.device, undoable=False)
            session.set_image(images[..., *place], mpp=resolution(engine, high))
            began = now(images.device)
            whole[..., *place] = session.mask
            sessions.append((session, place, now(images.device) - began))
        found.initial = float(iou(whole, high.truth))
        for session, place, seconds in sessions:
            rows, columns = place
            corners = torch.tensor([[[columns.start, rows.start], [columns.stop, rows.stop]]], dtype=torch.float64)
            (x0, y0), (x1, y1) = high.frame.inverse(found.size).to("cpu").points(corners)[0].tolist()
            look = Look(0, "tile", place, (x0, y0, x1, y1))
            found.looks.append(look)
            before = len(found.seconds)
            self._look(session, look, high.truth, found, whole)
            if len(found.seconds) > before:
                found.seconds[before] += seconds
        return whole

    def _look(
        self, session: Session | ChildSession, look: Look, truth: Truth, found: Zoomed, whole: ParentSession | Tensor
    ) -> None:
        """Click on a part until it is done; `whole` is the mask of everything, or what knows it."""
        part = _cut(truth, look.place, len(found.looks))
        mask = session.mask
        look.ious.append(float(iou(mask, part)))
        rows, columns = look.place
        for turn in range(self.max_clicks):
            if look.ious[-1] >= self.q_max:
                return
            new = self.user(mask, part, session.interactions, turn)
            if not bool(new.spoken):
                return
            began = now(mask.device)
            mask = session.add(new)
            found.seconds.append(now(mask.device) - began)
            look.ious.append(float(iou(mask, part)))
            look.clicks += _clicks(new)
            found.said += [(x + columns.start, y + rows.start, label) for x, y, label in _clicks(new)]
            if isinstance(whole, Tensor):
                whole[..., rows, columns] = mask
            found.ious.append(float(iou(whole if isinstance(whole, Tensor) else whole.mask, truth)))

    def _around(self, near: Nearest, frame: Frame) -> Box:
        """The box, in low pixels, of whole pixels of the high image around the middle of two clicks."""
        middle = frame.points(torch.tensor([[[near.x, near.y]]], dtype=torch.float64, device=frame.x0.device))
        scale = float(frame.scale)
        sides = []
        for at, length, start in zip(
            middle[0, 0].tolist(), frame.size[::-1], (float(frame.x0), float(frame.y0)), strict=True
        ):
            side = min(self.patch, length)
            first = min(max(math.floor(at) - side // 2, 0), length - side)
            sides.append((start + first / scale, start + (first + side) / scale))
        (x0, x1), (y0, y1) = sides
        return Box(x0, y0, x1, y1)


def _one(batch: Batch, index: Tensor) -> Batch:
    return Batch(batch.image[index], batch.truth.select(index), batch.image_id[index], batch.mpp)


def _cut(truth: Truth, place: Slices, number: int) -> Truth:
    """What is true of a part; its own sample id, so that its user's draws are its own."""
    ignore = None if truth.ignore is None else truth.ignore[..., *place]
    return Truth(truth.target[..., *place], truth.sample_id * 100_003 + number, ignore=ignore)


def _clicks(said: Interactions) -> list[tuple[float, float, int]]:
    rows = said.points[0].tolist()
    return [(x, y, int(label)) for x, y, label, _ in rows if label >= 0]


def _corners(box: Box) -> tuple[float, float, float, float]:
    return box.x0, box.y0, box.x1, box.y1

"""The interactive protocol: one object or region a session, the user reacts to the error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.data.batch import Batch
from zoo.data.datasets import Samples, kind_name
from zoo.data.objects import ObjectWindows
from zoo.errors import ConfigError
from zoo.evaluation.clock import now
from zoo.evaluation.protocol import Protocol, resolution
from zoo.evaluation.record import Record
from zoo.inference.engine import Engine
from zoo.inference.session import Session
from zoo.interactions import Interactions
from zoo.metrics.interaction import fill_forward, highest_goal, stuck
from zoo.metrics.modules import InteractionMetrics
from zoo.metrics.regions import overlap_pixels, region_iou
from zoo.users.base import SimulatedUser, Truth
from zoo.users.next_click import NextClick


@dataclass(frozen=True)
class Traces:
    """What happened in a batch of sessions.

    Attributes:
        sample_id: (B,) int64.
        image_id: (B,) int64.
        initial: (B,) float64 IoU before the first counted turn.
        ious: (B, T) float64 after each turn; NaN after the session ended.
        seconds: (B, T) float64 of each turn, the batch's time shared equally; NaN after the session ended.
        interactions: everything that was said.
        mask: (B, 1, H, W) bool, the last one.
    """

    sample_id: Tensor
    image_id: Tensor
    initial: Tensor
    ious: Tensor
    seconds: Tensor
    interactions: Interactions
    mask: Tensor


def iou(mask: Tensor, truth: Truth) -> Tensor:
    """(B,) float64 intersection over union outside `ignore`; 1 where both are empty."""
    return region_iou(overlap_pixels(mask, truth.target, truth.ignore))


class Interactive(Protocol[InteractionMetrics, Traces]):
    """Sessions of up to `max_interactions` turns from an empty mask; NoC, NoF, success ratio, IoU@k and the curve.

    A session ends when its user has nothing to say, or reaches `stop_at`. Sessions that ended leave the batch. One in
    which nothing was ever said counts with the IoU of its empty mask.

    Args:
        user: the simulated user; None: the next click (centre of the largest error).
        max_interactions: turns at most.
        targets: IoUs whose number of clicks is reported.
        stop_at: IoU that ends a session; None: go on until the user is silent, as curves need it.
        samples: kind of what a session is about: an object, in a window around it (`zoo.data.ObjectWindows`) or in its
            whole image (`zoo.data.ObjectsInImages`); or all that is labelled, in an image or stored patch
            (`zoo.data.WholeImages`) or in a window of one (`zoo.data.GridWindows`). None: `zoo.data.ObjectWindows`.
        start: `empty` counts every turn. With `prediction`, methods that begin with a prediction are compared with
            others: the turns that these need for their first one (`Engine.warmup`) are made, but neither counted nor
            timed (DeepScribble, section 4).
    """

    name = "interactive"
    ranked_by = "mean IoU over all interactions"
    unit = "interaction"

    def __init__(
        self,
        user: SimulatedUser | None = None,
        max_interactions: int = 20,
        targets: Sequence[float] = (0.7, 0.8, 0.85, 0.9),
        stop_at: float | None = None,
        samples: Samples | None = None,
        start: Literal["empty", "prediction"] = "empty",
    ) -> None:
        wrong = [target for target in (*targets, *([] if stop_at is None else [stop_at])) if not 0 < target <= 1]
        if wrong:
            raise ConfigError(f"targets and stop_at are IoUs, above 0 and at most 1, not {wrong[0]}; 0.9 is 90 percent")
        if max_interactions < 1:
            raise ConfigError(f"max_interactions={max_interactions}: a session needs at least one turn")
        self.samples = samples or ObjectWindows
        self.start = start
        self.user = user or NextClick()
        self.interaction = self.user.gives
        self.max_interactions = max_interactions
        self.targets = tuple(targets)
        self.stop_at = stop_at

    def metric(self) -> InteractionMetrics:
        """Metrics of interaction over all sessions."""
        return InteractionMetrics(self.targets, self.max_interactions, self.stop_at)

    def score(self, metric: InteractionMetrics, outcome: Traces, batch: Batch) -> None:
        """Add a batch of sessions."""
        metric.update(outcome.sample_id, outcome.ious, outcome.seconds, outcome.image_id, outcome.initial)

    @property
    def settings(self) -> Mapping[str, str | int | float | None]:
        """User, turns, the IoU that ends a session, and what a session is about."""
        settings: dict[str, str | int | float | None] = {
            "user": repr(self.user),
            "max_interactions": self.max_interactions,
            "stop_at": self.stop_at,
            "samples": kind_name(self.samples),
        }
        return settings if self.start == "empty" else settings | {"start": self.start}

    def records(self, outcome: Traces, batch: Batch) -> list[Record]:
        """One record a session, without its mask: sessions are many and `stages` repeats the few that are shown."""
        return self._records(outcome, keep_masks=False)

    def predictions(self, outcome: Traces) -> dict[int, NDArray[np.uint8]]:
        """The last mask of each session, 255 inside."""
        masks = outcome.mask[:, 0].cpu().numpy().astype(np.uint8) * 255
        return dict(zip(outcome.sample_id.tolist(), masks, strict=True))

    def brief(self) -> Interactive:
        """Five turns at most."""
        return self._shorter(5)

    def stages(self, engine: Engine, batch: Batch, records: list[Record]) -> dict[str, list[Record]]:
        """The sessions after one interaction, a few, and all, run again; a first prediction before them."""
        turns = {min(k, self.max_interactions) for k in (1, 3, self.max_interactions)}
        stages = {}
        for turn in sorted(turns | ({0} if self.start == "prediction" else set())):
            traces = self._shorter(turn).run(engine, batch)
            caption = {0: "initial", 1: "1 interaction"}.get(turn, f"{turn} interactions")
            stages[caption] = self._records(traces, keep_masks=True)
        return stages

    def _shorter(self, turns: int) -> Interactive:
        shorter = copy(self)
        shorter.max_interactions = min(turns, self.max_interactions)
        return shorter

    def _records(self, traces: Traces, keep_masks: bool) -> list[Record]:
        filled = fill_forward(traces.ious, self.max_interactions, traces.initial)
        goal = highest_goal(self.targets, self.stop_at)
        silent = np.zeros(len(filled), bool)
        if goal is not None:
            silent = stuck(traces.ious, goal, self.max_interactions, traces.initial)
        masks, said = traces.mask.cpu().numpy(), traces.interactions.to("cpu")
        return [
            Record(
                sample_id=int(traces.sample_id[i]),
                image_id=int(traces.image_id[i]),
                score=float(filled[i].mean() if filled.shape[1] else traces.initial[i]),
                ious=_known(traces.ious[i]),
                seconds=_known(traces.seconds[i]),
                interactions=said.select(torch.tensor([i])),
                prediction=masks[i, 0] if keep_masks else None,
                initial=float(traces.initial[i]),
                stuck=bool(silent[i]),
            )
            for i in range(len(filled))
        ]

    def run(self, engine: Engine, batch: Batch) -> Traces:
        """Run a batch of sessions."""
        image, truth = batch.image, batch.truth
        count = len(truth)
        ious = torch.full((count, self.max_interactions), torch.nan, dtype=torch.float64)
        seconds = torch.full_like(ious, torch.nan)
        said = Interactions.empty(count, truth.size, image.device)
        active = torch.arange(count, device=image.device)
        session = Session(engine, image.device, undoable=False)
        session.set_image(image, mpp=resolution(engine, batch))
        mask = session.mask
        for turn in range(free := engine.warmup if self.start == "prediction" else 0):
            new = self.user(mask, truth, session.interactions, turn)
            mask = session.add(new)
            said = said.add(new)
        last, score = mask, iou(mask, truth)
        initial = score.cpu()
        for turn in range(self.max_interactions):
            if self.stop_at is not None:
                going = (score < self.stop_at).nonzero()[:, 0]
                if len(going) == 0:
                    break
                if len(going) < len(active):
                    session.select(going)
                    active, mask = active[going], mask[going]
            here = truth.select(active)
            new = self.user(mask, here, session.interactions, free + turn)
            keep = new.spoken.nonzero()[:, 0]
            if len(keep) < len(active):
                session.select(keep)
                active, here, new = active[keep], here.select(keep), new.select(keep)
            if len(active) == 0:
                break
            began = now(image.device)
            mask = session.add(new)
            elapsed = (now(image.device) - began) / len(active)
            score = iou(mask, here)
            rows = active.cpu()
            ious[rows, turn], seconds[rows, turn] = score.cpu(), elapsed
            last = last.index_copy(0, active, mask)
            said = said.add(new.spread(active, count))
        return Traces(truth.sample_id.cpu(), batch.image_id.cpu(), initial, ious, seconds, said, last)


def _known(values: Tensor) -> tuple[float, ...]:
    return tuple(values[~values.isnan()].tolist())

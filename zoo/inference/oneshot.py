"""Many objects of one image at once: one click or squiggle each, windows around them, then an instance map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from zoo.errors import InteractionError
from zoo.inference.engine import Engine, State, advance
from zoo.inference.zoom import InteractionWindow
from zoo.interactions import PADDING, Interactions
from zoo.ops.draws import Draw
from zoo.ops.frame import Frame
from zoo.ops.random import uniform

Schedule = list[tuple[float, Tensor]]


@dataclass(frozen=True)
class OneShot:
    """Segments all objects of an image, each from its own interactions.

    The clicks of the other objects are negative ones (NuClick's exclusion map). Objects are taken in chunks of
    windows, so that memory does not grow with the size of the image times their number. Corrections in later turns
    are given to the engine turn by turn, as in a session.

    Attributes:
        chunk: windows at a time.
        exclusion: whether an object is told where the others were clicked.
        jitters: number of further runs with moved clicks, averaged with the first (NuClick, section III.C).
        jitter: how far these clicks are moved, in pixels, uniformly both ways.
        window: side of the windows when the engine names none.
    """

    chunk: int = 64
    exclusion: bool = True
    jitters: int = 0
    jitter: float = 2.0
    window: int = 128

    def __call__(
        self,
        engine: Engine,
        image: Tensor,
        interactions: Interactions,
        progress: Callable[[int], None] | None = None,
    ) -> Tensor:
        """Instance map (H, W) int32 on the CPU: object i of `interactions` has id i + 1; the likeliest object wins.

        Args:
            engine: what segments a window.
            image: (1, 3, H, W) float32 in 0..1.
            interactions: (N objects) in image pixels, each with at least one positive interaction.
            progress: called with the number of objects done.
        """
        return self.likeliest(engine, image, interactions, progress)[0]

    def likeliest(
        self,
        engine: Engine,
        image: Tensor,
        interactions: Interactions,
        progress: Callable[[int], None] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The instance map, and the probability (H, W) float32 with which each pixel belongs to its object."""
        height, width = interactions.size
        if not engine.boxes:
            interactions = interactions.with_box_centres()
        if len(interactions) and not bool(self._positive(interactions).all()):
            raise InteractionError("every object needs at least one positive click, scribble or box")
        frames = InteractionWindow(engine.window or self.window)(interactions, image)
        anchors = self._anchors(interactions)
        labels = torch.zeros(height, width, dtype=torch.int32)
        best = torch.zeros(height, width)
        for first in range(0, len(interactions), self.chunk):
            index = torch.arange(first, min(first + self.chunk, len(interactions)), device=image.device)
            frame = frames.select(index)
            own = interactions.select(index)
            said = own.through(frame)
            if self.exclusion:
                said = said.add(_others(anchors, index, frame))
            probability, mask = self._segment(engine, frame.crop(image), said, _schedule(own), index)
            for i, number in enumerate(index.tolist()):
                _claim(labels, best, number + 1, probability[i, 0].cpu(), mask[i, 0].cpu(), frame, i)
            if progress is not None:
                progress(int(index[-1]) + 1)
        return labels, best

    def _segment(
        self, engine: Engine, image: Tensor, said: Interactions, schedule: Schedule, ids: Tensor
    ) -> tuple[Tensor, Tensor]:
        state = _through_turns(engine, image, said, schedule)
        total = state["probability"]
        for run in range(1, self.jitters + 1):
            total = total + _through_turns(engine, image, self._moved(said, ids, run), schedule)["probability"]
        state = {**state, "probability": total / (self.jitters + 1)}
        return state["probability"], engine.mask(state, said)

    def _moved(self, said: Interactions, ids: Tensor, run: int) -> Interactions:
        points = said.points.clone()
        columns = torch.arange(points.shape[1], device=points.device)
        for axis, draw in ((0, Draw.RUN_SHIFT_X), (1, Draw.RUN_SHIFT_Y)):
            keys = (ids[:, None] * 65_537 + columns).flatten()
            move = (uniform(keys, 0, run, draw) * 2 - 1) * self.jitter
            limit = said.size[1 - axis] - 0.5
            moved = points[..., axis] + move.view(len(ids), -1).to(points.dtype)
            inside = (points[..., axis] >= 0) & (points[..., axis] <= said.size[1 - axis])
            points[..., axis] = torch.where(inside, moved.clamp(0.5, limit), points[..., axis])
        return replace(said, points=points)

    @staticmethod
    def _positive(interactions: Interactions) -> Tensor:
        positive = (interactions.points[..., 2] == 1).any(1) | (interactions.boxes[..., 4] >= 0).any(1)
        if interactions.strokes is None:
            return positive
        return positive | interactions.strokes[:, 0].flatten(1).any(1)

    @staticmethod
    def _anchors(interactions: Interactions) -> Tensor:
        """One point (N, 2) an object: its first positive click or centre of a box, or a scribble's middle pixel."""
        interactions = interactions.with_box_centres()
        positive = interactions.points[..., 2] == 1
        anchors = interactions.points.new_zeros(len(interactions), 2)
        clicked = positive.any(1)
        if positive.shape[1]:
            first = positive.float().argmax(1)
            anchors = interactions.points[torch.arange(len(first), device=first.device), first, :2]
        if interactions.strokes is not None:
            for i in (~clicked).nonzero()[:, 0].tolist():
                pixels = interactions.strokes[i, 0].nonzero()
                anchors[i] = pixels[len(pixels) // 2].flip(0).to(anchors.dtype) + 0.5
        return anchors


def _schedule(own: Interactions) -> Schedule:
    """Each turn, and who (B,) bool says something in it. Scribbles, which have no turn, belong to the first."""
    times = torch.cat([own.points[..., 3], own.boxes[..., 4]], 1)
    given = torch.cat([own.points[..., 2] >= 0, own.boxes[..., 4] >= 0], 1)
    silent = ~given.any(1, keepdim=True)
    times, given = torch.cat([times, times.new_zeros(len(times), 1)], 1), torch.cat([given, silent], 1)
    return [(turn, ((times == turn) & given).any(1)) for turn in sorted(set(times[given].tolist()))]


def _through_turns(engine: Engine, image: Tensor, said: Interactions, schedule: Schedule) -> State:
    """The state after all turns."""
    state = engine.start(image)
    for turn, who in schedule:
        so_far = said.until(turn)
        state = advance(engine, image, so_far, so_far.only(who), state)
    return state


def _others(anchors: Tensor, index: Tensor, frame: Frame) -> Interactions:
    """Negative clicks at the other objects' anchors that lie in each window, in crop pixels."""
    height, width = frame.size
    xy = frame.points(anchors.expand(len(index), -1, -1))
    inside = (xy[..., 0] >= 0) & (xy[..., 0] < width) & (xy[..., 1] >= 0) & (xy[..., 1] < height)
    inside[torch.arange(len(index), device=index.device), index] = False
    most = int(inside.sum(1).max()) if len(index) else 0
    order = inside.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :most]
    label = torch.where(inside.gather(1, order), 0.0, PADDING)
    x, y = (xy[..., k].gather(1, order) for k in (0, 1))
    return Interactions.clicks(x, y, label, 0, frame.size)


def _claim(labels: Tensor, best: Tensor, number: int, probability: Tensor, mask: Tensor, frame: Frame, i: int) -> None:
    """Write an object's pixels where it is likelier than what stands there."""
    height, width = labels.shape
    slices = frame.overlap(i, (height, width))
    if slices is not None:
        place, crop = slices
        probability, mask = probability[crop], mask[crop]
    else:
        one = frame.select(torch.tensor([i], device=frame.x0.device))
        one = Frame(one.x0.cpu(), one.y0.cpu(), one.scale.cpu(), one.size)
        both = torch.stack([probability, mask.float()])[None]
        both = one.paste(both, torch.zeros(1, 2, height, width))[0]
        place = (slice(0, height), slice(0, width))
        probability, mask = both[0], both[1] > 0.5
    wins = mask & (probability > best[place])
    labels[place][wins] = number
    best[place][wins] = probability[wins]

"""Many objects of one image at once: one click or squiggle each, windows around them, then an instance map."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from zoo.errors import ConfigError, InteractionError
from zoo.inference.engine import Engine, State, advance
from zoo.inference.given import GivenObjects
from zoo.inference.working import PART, WorkingImage
from zoo.inference.zoom import InteractionWindow
from zoo.interactions import PADDING, Interactions
from zoo.ops.draws import Draw
from zoo.ops.frame import Frame
from zoo.ops.places import covering, shifted
from zoo.ops.random import uniform

Turns = Iterable[tuple[Interactions, Tensor]]


@dataclass(frozen=True)
class OneShot:
    """Segments all objects of an image, each from its own interactions.

    The clicks of the other objects are negative ones (NuClick's exclusion map). Objects are taken in chunks of
    windows, so that memory does not grow with the size of the image times their number. Corrections and scribbles of
    later turns are given to the engine turn by turn, as in a session.

    Attributes:
        chunk: windows at a time.
        exclusion: whether an object is told where the others were clicked.
        jitters: number of further runs with moved clicks, averaged with the first (NuClick, section III.C).
        jitter: how far these clicks are moved, in pixels, uniformly both ways.
        window: side of the windows when the engine names none.

    Raises:
        ConfigError: a number is too small.
    """

    chunk: int = 64
    exclusion: bool = True
    jitters: int = 0
    jitter: float = 2.0
    window: int = 128

    def __post_init__(self) -> None:
        if min(self.chunk, self.window) < 1 or min(self.jitters, self.jitter) < 0:
            raise ConfigError(
                f"chunk={self.chunk} and window={self.window} must be 1 or more, jitters={self.jitters} and "
                f"jitter={self.jitter} 0 or more"
            )

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
        labels, _ = self.likeliest(engine, WorkingImage(image), GivenObjects.of(interactions), progress)
        return labels.int()

    def likeliest(
        self,
        engine: Engine,
        image: WorkingImage,
        given: GivenObjects,
        progress: Callable[[int], None] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The instance map, int16 where this holds all ids, and each pixel's probability (H, W) float32 to belong.

        Args:
            engine: what segments a window.
            image: what is worked in; the maps are in the pixels of the image that it was made of.
            given: in these pixels, too.
            progress: called with the number of objects done.
        """
        if image.frame is not None:
            given = given.through(image.frame)
        if not engine.boxes:
            given = given.with_box_centres()
        if len(given) and not bool(given.positive.all()):
            raise InteractionError("every object needs at least one positive click, scribble or box")
        labels = torch.zeros(image.size, dtype=torch.int16 if len(given) < 2**15 else torch.int32)
        best = torch.zeros(image.size)
        side = min(engine.window or self.window, max(image.size))  # of a small image no more than there is
        frames = InteractionWindow(side)(given.extent, best)
        anchors = given.anchors
        for first in range(0, len(given), self.chunk):
            index = torch.arange(first, min(first + self.chunk, len(given)), device=image.device)
            frame = frames.select(index)
            others = _others(anchors, index, frame) if self.exclusion else None
            probability, mask = self._segment(engine, image.crop(frame), given.select(index), others, frame, index)
            for i, number in enumerate(index.tolist()):
                _claim(labels, best, number + 1, probability[i, 0].cpu(), mask[i, 0].cpu(), frame, i)
            if progress is not None:
                progress(int(index[-1]) + 1)
        return image.back(labels), image.back(best)

    def _segment(
        self,
        engine: Engine,
        image: Tensor,
        own: GivenObjects,
        others: Interactions | None,
        frame: Frame,
        ids: Tensor,
    ) -> tuple[Tensor, Tensor]:
        marks = own.marks.through(frame)
        if others is not None:
            marks = marks.add(others)
        state, said = _through_turns(engine, image, own.in_turns(marks, frame))
        total = state["probability"]
        for run in range(1, self.jitters + 1):
            moved = self._moved(marks, ids, run)
            total = total + _through_turns(engine, image, own.in_turns(moved, frame))[0]["probability"]
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


def _through_turns(engine: Engine, image: Tensor, turns: Turns) -> tuple[State, Interactions]:
    """The state after all turns, and everything that was said."""
    if not engine.remembers:
        *_, (so_far, _) = turns
        return engine.step(image, so_far, engine.start(image)), so_far
    state, so_far = (
        engine.start(image),
        Interactions.empty(len(image), (image.shape[-2], image.shape[-1]), image.device),
    )
    for so_far, who in turns:
        state = advance(engine, image, so_far, so_far.only(who), state)
    return state, so_far


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
    size = (labels.shape[0], labels.shape[1])
    slices = frame.overlap(i, size)
    if slices is not None:
        place, crop = slices
        _win(labels[place], best[place], number, probability[crop], mask[crop])
        return
    one = Frame(frame.x0[i : i + 1].cpu(), frame.y0[i : i + 1].cpu(), frame.scale[i : i + 1].cpu(), frame.size)
    both = torch.stack([probability, mask.float()])[None]
    rows, columns = covering(one, size)
    step = max(1, PART // (columns.stop - columns.start))
    for first in range(rows.start, rows.stop, step):
        place = slice(first, min(first + step, rows.stop)), columns
        there = labels[place]
        pasted = shifted(one, place).paste(both, torch.zeros(1, 2, *there.shape))[0]
        _win(there, best[place], number, pasted[0], pasted[1] > 0.5)


def _win(labels: Tensor, best: Tensor, number: int, probability: Tensor, mask: Tensor) -> None:
    """Change these parts of the maps where the object is likelier than what stands there."""
    wins = mask & (probability > best)
    labels[wins] = number
    best[wins] = probability[wins]

"""What segments: an engine turns an image and everything said so far into a state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import Tensor

from zoo.inference.change import Change as Change
from zoo.inference.change import State as State
from zoo.interactions import Interactions

Reach = Literal["pixel", "objects", "image"]
"""What of the probability decides a pixel of the mask: itself alone; a box that holds all pixels above the threshold
and all that were said to be positive, with one pixel around; or anything."""


class Engine(ABC):
    """Segments a batch of images by what users say. Trained networks and classical methods are engines.

    States are never changed in place: undo returns to an earlier one, compaction indexes them. A sample's result must
    not depend on the other samples of its batch.

    Attributes:
        window: side in pixels of the square window around a click in which the engine works; None for whole images.
        warmup: turns that an engine without a prediction of its own needs for its first one. Where methods that begin
            with a prediction are compared with others, these turns are not counted.
        mpp: micrometres per pixel of the images that the engine works on; None: any.
        boxes: whether it reads boxes. Those that don't are given a click at the centre of each.
        remembers: whether an image as large as its window depends on earlier states, and not only on everything said;
            where it does not, and nobody looks at what comes between, only the last turn is taken.
        progress: called by engines that begin with many tiles, with the number of those done and of all.
        reach: of `mask`. A class with a `mask` of its own that does not say is taken to look at everything.
    """

    window: int | None = None
    warmup: int = 1
    mpp: float | None = None
    boxes: bool = False
    remembers: bool = True
    progress: Callable[[int, int], None] | None = None
    reach: Reach = "pixel"

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "mask" in vars(cls) and "reach" not in vars(cls):
            cls.reach = "image"

    def resemble(self, engine: Engine) -> None:
        """Say of oneself what another engine says: for engines that pass everything on to it."""
        self.window, self.warmup, self.mpp = engine.window, engine.warmup, engine.mpp
        self.boxes, self.remembers = engine.boxes, engine.remembers
        self.reach = engine.reach

    @abstractmethod
    def start(self, image: Tensor, mask: Tensor | None = None) -> State:
        """The state before anything was said.

        Args:
            image: (B, 3, H, W) float32 in 0..1.
            mask: (B, 1, H, W) initial mask or probability, or None to start empty.
        """

    def prepare(self, image: Tensor) -> None:
        """Compute what the first turn needs of images (B, 3, H, W), while a person looks; nothing, by default."""
        return

    @abstractmethod
    def step(self, image: Tensor, interactions: Interactions, state: State) -> State:
        """The state after `interactions`, which hold everything said so far, in image pixels."""

    def change(self, image: Tensor, interactions: Interactions, state: State) -> Change:
        """What `step` changes in the state. An engine that knows the boxes says them; here all pixels are compared."""
        return Change.between(state, self.step(image, interactions, state))

    def mask(self, state: State, interactions: Interactions) -> Tensor:
        """(B, 1, H, W) bool: the mask that the state stands for."""
        return state["probability"] > 0.5

    @property
    def scales(self) -> Scales:
        """What segments at a low and at a high magnification: by default this engine does both."""
        return Scales(self, self)


@dataclass(frozen=True)
class Scales:
    """Engines at two magnifications, and what they tell each other.

    Attributes:
        low: segments the whole image at a low magnification; None: nothing does.
        high: segments parts at a high one; None: nothing does.
        down: whether what is segmented at the high one begins with the mask of the low one (low-to-high transfer).
        up: whether the low one goes on from what was segmented at the high one, averaged by area (high-to-low).
    """

    low: Engine | None
    high: Engine | None
    down: bool = True
    up: bool = False

    def map(self, change: Callable[[Engine], Engine]) -> Scales:
        """The same with other engines."""
        low, high = (None if engine is None else change(engine) for engine in (self.low, self.high))
        return replace(self, low=low, high=high)


def pick(state: State, index: Tensor) -> State:
    """The state of the samples in `index` (integers or booleans)."""
    return {name: value[index] for name, value in state.items()}


def put(state: State, index: Tensor, part: State) -> State:
    """The state in which the samples in `index` (integers) have those of `part`."""
    return {name: value.index_copy(0, index, part[name].to(value.dtype)) for name, value in state.items()}


def advance(engine: Engine, image: Tensor, so_far: Interactions, new: Interactions, state: State) -> State:
    """One turn. Samples for which `new` says nothing keep their state; `so_far` includes `new`."""
    who = new.spoken.nonzero()[:, 0]
    if len(who) == len(new):
        return engine.step(image, so_far, state)
    if len(who) == 0:
        return state
    return put(state, who, engine.step(image[who], so_far.select(who), pick(state, who)))


def changed(engine: Engine, image: Tensor, so_far: Interactions, new: Interactions, state: State) -> Change:
    """What `advance` changes in the state."""
    return among(new.spoken.nonzero()[:, 0], engine.change, image, so_far, state)


def among(
    who: Tensor,
    change: Callable[[Tensor, Interactions, State], Change],
    image: Tensor,
    so_far: Interactions,
    state: State,
) -> Change:
    """What `change` changes in the samples in `who` (integers); the others keep their state."""
    if len(who) == len(image):
        return change(image, so_far, state)
    if len(who) == 0:
        return Change({}, {})
    return Change.joined([(who, change(image[who], so_far.select(who), pick(state, who)))], state)

"""One image, or a batch of them, being segmented by somebody."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.errors import InteractionError
from zoo.inference.change import Change, owned
from zoo.inference.engine import Engine, State, changed, pick
from zoo.inference.kept_mask import Before, KeptMask
from zoo.inference.layered import Layered
from zoo.inference.remembered import Remembered
from zoo.inference.resolution import working_frame
from zoo.interactions import Box, Click, Interaction, Interactions, Scribble
from zoo.ops.frame import Frame

NO_IMAGE = "no image yet; call set_image(image) first"

Image = np.ndarray[Any, np.dtype[np.uint8]]


def as_images(image: Tensor | Image) -> Tensor:
    """(B, 3, H, W) float32 in 0..1 from (H, W, 3) uint8, or from (B, 3, H, W) uint8 or float."""
    pixels = as_tensor(image)
    return pixels.float().div_(255) if pixels.dtype == torch.uint8 else pixels.float()


def as_tensor(image: Tensor | Image) -> Tensor:
    """(B, 3, H, W) of the same numbers; a copy of an array, which its owner may change."""
    if isinstance(image, Tensor):
        known = image.dtype == torch.uint8 or image.is_floating_point()
        if image.ndim != 4 or image.shape[1] != 3 or 0 in image.shape[2:] or not known:
            raise InteractionError(
                f"images of shape {tuple(image.shape)} and type {image.dtype} were given; (batch, 3, height, width) is "
                "needed, uint8 or float in 0..1"
            )
        return image
    if not isinstance(image, np.ndarray):
        raise InteractionError(
            f"a {type(image).__name__} was given for an image; make an array of it: np.asarray(image)"
        )
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise InteractionError(
            f"an image of shape {image.shape} and type {image.dtype} was given; (height, width, 3) uint8 is needed"
        )
    return torch.tensor(np.ascontiguousarray(image)).permute(2, 0, 1)[None]


@dataclass(frozen=True)
class _Now:
    """A session between two turns; state and mask are the session's own and change in place.

    Attributes:
        said: everything so far, in pixels of the given image.
        working: the same as the engine takes it; the same object where these are equal.
        state: the engine's.
        mask: that it stands for.
    """

    said: Interactions
    working: Interactions
    state: State
    mask: KeptMask


@dataclass(frozen=True)
class _Turn:
    """What brings back the moment before a turn: boxes of what is as large as the image."""

    said: Remembered
    working: Remembered | None
    change: Change
    mask: Before

    def select(self, index: Tensor) -> _Turn:
        working = None if self.working is None else self.working.select(index)
        return _Turn(self.said.select(index), working, self.change.select(index), self.mask.select(index))


class Session:
    """What evaluation, the annotator and Python users share.

    ```python
    session = zoo.load("nuclick-nuclei-compact")
    session.set_image(image, mpp=0.5)     # (H, W, 3) uint8; resampled to the checkpoint's mpp
    session.add(zoo.Click(120.5, 80.5))
    session.mask                          # (1, 1, H, W) bool
    session.undo()
    ```

    Args:
        engine: what segments.
        device: where.
        undoable: whether what a turn changes is kept for `undo` and `reset`; evaluation needs only the last state.
        mpp: micrometres per pixel to work at; None: the engine's.

    Whatever the engine works at, interactions, probabilities and masks are in the pixels of the given image. A turn
    costs what it changes: the window in which the engine worked, however large the image is. The masks and
    probabilities that were returned stay as they are; a turn that changes one which is still in use copies it first.
    """

    def __init__(
        self,
        engine: Engine,
        device: torch.device | str = "cpu",
        undoable: bool = True,
        mpp: float | None = None,
    ) -> None:
        self.engine = engine
        self.undoable = undoable
        self.device = torch.device(device)
        self.mpp = engine.mpp if mpp is None else mpp
        self._pixels: Tensor | None = None
        self._frame: Frame | None = None
        self._initial: Tensor | None = None
        self._seen: Tensor | None = None
        self._moment: _Now | None = None
        self._history: list[_Turn] = []
        self._turn = 0
        self._warned = False

    def set_image(
        self,
        image: Tensor | Image,
        mask: Tensor | Image | None = None,
        mpp: float | None = None,
    ) -> None:
        """Begin with an image.

        Args:
            image: (H, W, 3) uint8, or a batch (B, 3, H, W) uint8 or float in 0..1.
            mask: initial mask (H, W), or (B, 1, H, W) for a batch; None: start empty.
            mpp: micrometres per pixel of the image. When it differs from the session's, the engine sees the image
                resampled; a session that has one warns once when the image's is unknown.

        Raises:
            InteractionError: not an image, or a mask of another size.
        """
        given = as_tensor(image).to(self.device)
        if given.is_floating_point() and not _within(given):
            raise InteractionError("the image holds numbers outside 0..1; give uint8, or divide them by the largest")
        initial = None if mask is None else _as_masks(mask, given)
        frame = None
        if mpp is not None or not self._warned:
            frame = working_frame(len(given), (given.shape[-2], given.shape[-1]), mpp, self.mpp, self.device)
            self._warned = self._warned or mpp is None
        self._pixels, self._frame, self._initial = given, frame, initial
        self._turn = 0
        # The engine begins when it is needed: where many objects are segmented, it only sees windows.
        self._seen, self._moment, self._history = None, None, []

    @property
    def pixels(self) -> Tensor:
        """(B, 3, H, W) uint8 or float in 0..1, as it was given."""
        if self._pixels is None:
            raise InteractionError(NO_IMAGE)
        return self._pixels

    @property
    def image(self) -> Tensor:
        """(B, 3, H, W) float32 in 0..1."""
        return as_images(self.pixels)

    @property
    def frame(self) -> Frame | None:
        """From the image to the pixels that the engine works in; None when they are the same."""
        return self._frame

    @property
    def interactions(self) -> Interactions:
        """Everything said so far."""
        return self._now.said

    @property
    def turn(self) -> int:
        """How many turns have been taken."""
        return self._turn

    @property
    def probability(self) -> Tensor:
        """(B, 1, H, W) float32."""
        probability = self._now.state["probability"]
        if isinstance(probability, Layered):
            probability = probability.whole()
        if self._frame is None:
            return _lent(probability)
        return self._frame.inverse(self._now.said.size).crop(probability)

    @property
    def mask(self) -> Tensor:
        """(B, 1, H, W) bool."""
        return _lent(self._now.mask.given)

    def prepare(self) -> None:
        """Compute what the first turn needs of the image, while a person looks at it; `add` does it otherwise."""
        _ = self._now
        assert self._seen is not None  # or there were no moment
        self.engine.prepare(self._seen)

    def add(self, *given: Interaction | Interactions) -> Tensor:
        """One more turn: interactions for the one image, or a batch of them. Returns the new mask."""
        now = self._now
        if len(given) == 1 and isinstance(given[0], Interactions):
            new = given[0]
        else:
            singles = [each for each in given if isinstance(each, (Box, Click, Scribble))]
            if len(singles) != len(given) or len(now.said) != 1:
                raise InteractionError("give single interactions to one image, or one Interactions to a batch")
            new = Interactions.from_lists([singles], now.said.size, self.device).at(self.turn)
        said, there = now.said.add(new), self._working(new)
        alike = there is new and now.working is now.said
        working = said if alike else now.working.add(there)
        assert self._seen is not None  # or there were no moment
        self._take(said, working, changed(self.engine, self._seen, working, there, now.state))
        return self.mask

    def go_on_from(self, mask: Tensor) -> None:
        """One more turn in which nothing is said: the engine begins again with a mask, and what was said stays.

        Args:
            mask: (B, 1, H, W), or probabilities.
        """
        now = self._now
        given = _as_masks(mask.to(self.device), self.pixels)
        assert self._seen is not None  # or there were no moment
        with torch.no_grad():
            state = self.engine.start(self._seen, given if self._frame is None else self._frame.crop(given))
        self._take(now.said, now.working, Change.between(now.state, state))

    def undo(self) -> None:
        """Take the last turn back; without one, nothing happens."""
        self._check_undoable()
        if self._history:
            self._moment = _before(self._now, self._history[-1:])
            self._history.pop()
            self._turn -= 1

    def reset(self) -> None:
        """Return to the state before the first turn."""
        self._check_undoable()
        if self._history:
            self._moment = _before(self._now, self._history)
        self._history = []
        self._turn = 0

    def fresh(self) -> Session:
        """Another session on this image in which nothing was said, undoable too.

        Raises:
            InteractionError: something was said, and this session keeps no earlier states.
        """
        if self._turn:
            self._check_undoable()
        now = self._now
        other = copy.copy(self)
        other.undoable, other._history, other._turn = True, [], 0
        other._moment = _before(replace(now, state=owned(now.state), mask=now.mask.copied()), self._history)
        return other

    def select(self, index: Tensor) -> None:
        """Keep only the samples in `index` (integers, each once)."""
        now = self._now
        assert self._seen is not None  # or there were no moment
        self._pixels, self._seen = self.pixels[index], self._seen[index]
        self._frame = None if self._frame is None else self._frame.select(index)
        said = now.said.select(index)
        working = said if now.working is now.said else now.working.select(index)
        now.mask.select(index)
        self._moment = _Now(said, working, pick(now.state, index), now.mask)
        self._history = [turn.select(index) for turn in self._history]

    def _take(self, said: Interactions, working: Interactions, change: Change) -> None:
        """A turn: state and mask change in place."""
        now = self._now
        undo = change.exchanged(now.state)
        mask = now.mask.follow(change, now.state, working)
        if self.undoable:
            before = None if now.working is now.said else Remembered.of(now.working, working)
            self._history.append(_Turn(Remembered.of(now.said, said), before, undo, mask))
        self._moment = replace(now, said=said, working=working)
        self._turn += 1

    @property
    def _now(self) -> _Now:
        if self._moment is None:
            self._moment = self._begin()
        return self._moment

    def _begin(self) -> _Now:
        """The moment before the first turn."""
        given, initial = self.image, self._initial
        self._seen = given if self._frame is None else self._frame.crop(given)
        if initial is not None and self._frame is not None:
            initial = self._frame.crop(initial)
        size = (given.shape[-2], given.shape[-1])
        nothing = Interactions.empty(len(given), size, self.device)
        with torch.no_grad():
            state = owned(self.engine.start(self._seen, initial))
        working = self._working(nothing)
        return _Now(nothing, working, state, KeptMask(self.engine, state, working, self._frame, size))

    def _check_undoable(self) -> None:
        if not self.undoable:
            raise InteractionError("this session keeps no earlier states; make it with undoable=True")

    def _working(self, interactions: Interactions) -> Interactions:
        """The same as the engine takes it: in its pixels, and a click for each box where it reads none."""
        given = interactions if self.engine.boxes else interactions.with_box_centres()
        return given if self._frame is None else given.through(self._frame)


def _within(values: Tensor) -> bool:
    """Whether all numbers are in 0..1."""
    return bool(((values >= 0) & (values <= 1)).all())


def _before(now: _Now, turns: Sequence[_Turn]) -> _Now:
    """The moment before these turns; state and mask change in place."""
    said, working = now.said, now.working
    for turn in reversed(turns):
        alike = turn.working is None
        said, working = turn.said.back(said), working if turn.working is None else turn.working.back(working)
        working = said if alike else working
        turn.change.exchanged(now.state)
        now.mask.restore(turn.mask)
    return replace(now, said=said, working=working)


def _lent(tensor: Tensor) -> Tensor:
    """A copy, made only when one of the two is written to."""
    copied: Tensor = torch._lazy_clone(tensor)
    return copied


def _as_masks(mask: Tensor | Image, image: Tensor) -> Tensor:
    """(B, 1, H, W) float32 on the image's device."""
    if isinstance(mask, np.ndarray):
        mask = torch.from_numpy(mask.astype(np.float32) if mask.dtype.kind == "f" else mask != 0)
    if not isinstance(mask, Tensor):
        raise InteractionError(f"a {type(mask).__name__} was given for a mask; make an array of it: np.asarray(mask)")
    mask = mask[None, None] if mask.ndim == 2 else mask
    values = mask.float() if mask.is_floating_point() else (mask != 0).float()
    if not _within(values):
        raise InteractionError(
            "the initial mask holds numbers outside 0..1; give probabilities, or integers (0: outside)"
        )
    expected = (len(image), 1, *image.shape[-2:])
    if tuple(values.shape) != expected:
        raise InteractionError(f"the initial mask has shape {tuple(values.shape)}; the image needs {expected}")
    return values.to(image.device)

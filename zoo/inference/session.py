"""One image, or a batch of them, being segmented by somebody."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.errors import InteractionError
from zoo.inference.engine import Engine, State, advance, pick
from zoo.inference.resolution import working_frame
from zoo.interactions import Interaction, Interactions
from zoo.ops.frame import Frame

NO_IMAGE = "no image yet; call set_image(image) first"

Image = np.ndarray[Any, np.dtype[np.uint8]]


def as_images(image: Tensor | Image) -> Tensor:
    """(B, 3, H, W) float32 in 0..1 from (H, W, 3) uint8, or from (B, 3, H, W) uint8 or float."""
    pixels = as_tensor(image)
    return pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels.float()


def as_tensor(image: Tensor | Image) -> Tensor:
    """(B, 3, H, W) of the same numbers; a copy of an array, which its owner may change."""
    if isinstance(image, Tensor):
        return image
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise InteractionError(
            f"an image of shape {image.shape} and type {image.dtype} was given; (height, width, 3) uint8 is needed"
        )
    return torch.tensor(np.ascontiguousarray(image)).permute(2, 0, 1)[None]


@dataclass(frozen=True)
class _Moment:
    """A session between two turns.

    Attributes:
        said: everything so far, in pixels of the given image.
        working: the same as the engine takes it; the same object where these are equal.
        state: the engine's.
    """

    said: Interactions
    working: Interactions
    state: State

    def select(self, index: Tensor) -> _Moment:
        said = self.said.select(index)
        working = said if self.working is self.said else self.working.select(index)
        return _Moment(said, working, pick(self.state, index))


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
        undoable: whether earlier states are kept for `undo` and `reset`; evaluation needs only the last.
        mpp: micrometres per pixel to work at; None: the engine's.

    Whatever the engine works at, interactions, probabilities and masks are in the pixels of the given image.
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
        self._history: list[_Moment] = []
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
        initial = None if mask is None else _as_masks(mask, given)
        frame = None
        if mpp is not None or not self._warned:
            frame = working_frame(len(given), (given.shape[-2], given.shape[-1]), mpp, self.mpp, self.device)
            self._warned = self._warned or mpp is None
        self._pixels, self._frame, self._initial = given, frame, initial
        self._turn = 0
        # The engine begins when it is needed: where many objects are segmented, it only sees windows.
        self._seen, self._history = None, []

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
        return self._given_pixels(self._now.state["probability"])

    @property
    def mask(self) -> Tensor:
        """(B, 1, H, W) bool."""
        mask = self.engine.mask(self._now.state, self._now.working)
        return mask if self._frame is None else self._given_pixels(mask.float()) > 0.5

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
            singles = [each for each in given if not isinstance(each, Interactions)]
            if len(singles) != len(given) or len(now.said) != 1:
                raise InteractionError("give single interactions to one image, or one Interactions to a batch")
            new = Interactions.from_lists([singles], now.said.size, self.device).at(self.turn)
        said, there = now.said.add(new), self._working(new)
        working = said if there is new and now.working is now.said else now.working.add(there)
        assert self._seen is not None  # or there were no moment
        state = advance(self.engine, self._seen, working, there, now.state)
        self._remember(_Moment(said, working, state))
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
        self._remember(_Moment(now.said, now.working, state))

    def undo(self) -> None:
        """Take the last turn back; without one, nothing happens."""
        self._check_undoable()
        if len(self._history) > 1:
            self._history.pop()
            self._turn -= 1

    def reset(self) -> None:
        """Return to the state before the first turn."""
        self._check_undoable()
        self._history = self._history[:1]
        self._turn = 0

    def fresh(self) -> Session:
        """Another session on this image in which nothing was said; it keeps no earlier states."""
        _ = self._now
        other = copy.copy(self)
        other.undoable, other._history, other._turn = False, self._history[:1], 0
        return other

    def select(self, index: Tensor) -> None:
        """Keep only the samples in `index` (integers)."""
        _ = self._now
        assert self._seen is not None  # or there were no moment
        self._pixels, self._seen = self.pixels[index], self._seen[index]
        self._frame = None if self._frame is None else self._frame.select(index)
        self._history = [moment.select(index) for moment in self._history]

    def _remember(self, moment: _Moment) -> None:
        self._history.append(moment)
        self._turn += 1
        if not self.undoable:
            self._history = self._history[-1:]

    @property
    def _now(self) -> _Moment:
        if not self._history:
            self._history = [self._begin()]
        return self._history[-1]

    def _begin(self) -> _Moment:
        """The moment before the first turn."""
        given, initial = self.image, self._initial
        self._seen = given if self._frame is None else self._frame.crop(given)
        if initial is not None and self._frame is not None:
            initial = self._frame.crop(initial)
        nothing = Interactions.empty(len(given), (given.shape[-2], given.shape[-1]), self.device)
        with torch.no_grad():
            state = self.engine.start(self._seen, initial)
        return _Moment(nothing, self._working(nothing), state)

    def _check_undoable(self) -> None:
        if not self.undoable:
            raise InteractionError("this session keeps no earlier states; make it with undoable=True")

    def _working(self, interactions: Interactions) -> Interactions:
        """The same as the engine takes it: in its pixels, and a click for each box where it reads none."""
        given = interactions if self.engine.boxes else interactions.with_box_centres()
        return given if self._frame is None else given.through(self._frame)

    def _given_pixels(self, values: Tensor) -> Tensor:
        if self._frame is None:
            return values
        return self._frame.inverse(self._now.said.size).crop(values)


def _as_masks(mask: Tensor | Image, image: Tensor) -> Tensor:
    """(B, 1, H, W) float32 on the image's device."""
    if isinstance(mask, np.ndarray):
        mask = torch.from_numpy(mask.astype(np.float32) if mask.dtype.kind == "f" else mask != 0)[None, None]
    values = mask.float() if mask.is_floating_point() else (mask != 0).float()
    if not bool(((values >= 0) & (values <= 1)).all()):
        raise InteractionError(
            "the initial mask holds numbers outside 0..1; give probabilities, or integers (0: outside)"
        )
    expected = (len(image), 1, *image.shape[-2:])
    if tuple(values.shape) != expected:
        raise InteractionError(f"the initial mask has shape {tuple(values.shape)}; the image needs {expected}")
    return values.to(image.device)

"""One image, or a batch of them, being segmented by somebody."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.errors import InteractionError
from zoo.inference.engine import Engine, State, advance
from zoo.interactions import Interaction, Interactions

Image = np.ndarray[Any, np.dtype[np.uint8]]


def as_images(image: Tensor | Image) -> Tensor:
    """(B, 3, H, W) float32 in 0..1 from (H, W, 3) uint8, or from (B, 3, H, W) uint8 or float."""
    if isinstance(image, np.ndarray):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise InteractionError(
                f"an image of shape {image.shape} and type {image.dtype} was given; (height, width, 3) uint8 is needed"
            )
        image = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
    return image.float() / 255 if image.dtype == torch.uint8 else image.float()


class Session:
    """What evaluation, the annotator and Python users share.

    ```python
    session = zoo.load("nuclick-nuclei-compact")
    session.set_image(image)              # (H, W, 3) uint8
    session.add(zoo.Click(120.5, 80.5))
    session.mask                          # (1, 1, H, W) bool
    session.undo()
    ```

    Args:
        engine: what segments.
        device: where.
        undoable: whether earlier states are kept for `undo` and `reset`; evaluation needs only the last.
    """

    def __init__(self, engine: Engine, device: torch.device | str = "cpu", undoable: bool = True) -> None:
        self.engine = engine
        self.undoable = undoable
        self.device = torch.device(device)
        self._image: Tensor | None = None
        self._history: list[tuple[Interactions, State]] = []
        self._turn = 0

    def set_image(self, image: Tensor | Image, mask: Tensor | Image | None = None) -> None:
        """Begin with an image (H, W, 3) uint8, or a batch (B, 3, H, W); `mask` is an optional initial mask."""
        self._image = as_images(image).to(self.device)
        if isinstance(mask, np.ndarray):
            mask = torch.from_numpy(mask.astype(np.float32))[None, None]
        if mask is not None and mask.shape[-2:] != self._image.shape[-2:]:
            raise InteractionError(
                f"the initial mask has {tuple(mask.shape[-2:])} pixels, the image {tuple(self._image.shape[-2:])}"
            )
        batch, height, width = len(self._image), *self._image.shape[-2:]
        with torch.no_grad():
            state = self.engine.start(self._image, None if mask is None else mask.float().to(self.device))
        self._turn = 0
        self._history = [(Interactions.empty(batch, (height, width), self.device), state)]

    @property
    def image(self) -> Tensor:
        """(B, 3, H, W) float32 in 0..1."""
        if self._image is None:
            raise InteractionError("no image yet; call set_image(image) first")
        return self._image

    @property
    def interactions(self) -> Interactions:
        """Everything said so far."""
        return self._now[0]

    @property
    def turn(self) -> int:
        """How many turns have been taken."""
        return self._turn

    @property
    def probability(self) -> Tensor:
        """(B, 1, H, W) float32."""
        return self._now[1]["probability"]

    @property
    def mask(self) -> Tensor:
        """(B, 1, H, W) bool."""
        interactions, state = self._now
        return self.engine.mask(state, interactions)

    def add(self, *given: Interaction | Interactions) -> Tensor:
        """One more turn: interactions for the one image, or a batch of them. Returns the new mask."""
        so_far, state = self._now
        if len(given) == 1 and isinstance(given[0], Interactions):
            new = given[0]
        else:
            singles = [each for each in given if not isinstance(each, Interactions)]
            if len(singles) != len(given) or len(so_far) != 1:
                raise InteractionError("give single interactions to one image, or one Interactions to a batch")
            new = Interactions.from_lists([singles], so_far.size, self.device)
            new.points[..., 3] = self.turn
        everything = so_far.add(new)
        self._history.append((everything, advance(self.engine, self.image, everything, new, state)))
        self._turn += 1
        if not self.undoable:
            self._history = self._history[-1:]
        return self.mask

    def undo(self) -> None:
        """Take the last turn back; without one, nothing happens."""
        if len(self._history) > 1:
            self._history.pop()
            self._turn -= 1

    def reset(self) -> None:
        """Return to the state before the first turn."""
        self._history = self._history[:1]
        self._turn = 0

    def select(self, index: Tensor) -> None:
        """Keep only the samples in `index` (integers)."""
        self._image = self.image[index]
        self._history = [
            (said.select(index), {name: value[index] for name, value in state.items()}) for said, state in self._history
        ]

    @property
    def _now(self) -> tuple[Interactions, State]:
        if not self._history:
            raise InteractionError("no image yet; call set_image(image) first")
        return self._history[-1]

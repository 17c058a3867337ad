"""What every refiner is."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from zoo.inference.engine import State
from zoo.inference.view import View


class Refiner(ABC):
    """Improves a prediction at test time, so that it keeps to what was said.

    A refiner is no module and has no weights: a checkpoint that was trained without it is tested with it. What it
    learns of a sample is that sample's state: tensors with leading dimension B whose shapes never change.

    Attributes:
        at: the point of the method where it intervenes: `image`, `guidance`, or one of its network's.
        crop_bound: whether its state means nothing in another crop; it then starts anew there.
    """

    at: str
    crop_bound: bool = False

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({arguments})"

    @abstractmethod
    def start(self, batch: int, channels: int, size: tuple[int, int], device: torch.device) -> State:
        """The state before anything was said.

        Args:
            batch: B.
            channels: of the features at `at`.
            size: the largest crop's height and width; spatial parameters of a smaller one fill the top-left corner.
            device: of the state.
        """

    @abstractmethod
    def __call__(self, view: View, state: State) -> tuple[Tensor, State]:
        """Logits (B, 1, h, w) and the state after everything that was said; a sample's depend on no other sample's."""

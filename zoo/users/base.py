"""What every simulated user is, and what it may look at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from zoo.interactions import Interactions, Kind


@dataclass(frozen=True)
class Truth:
    """What is true of a batch of samples.

    Attributes:
        target: (B, 1, H, W) bool, the object or region to be segmented.
        sample_id: (B,) int64, fixed for a sample whatever its batch; seeds its randomness.
        instances: (B, 1, H, W) int64, every object's id, 0 where there is none; None for regions.
        object_id: (B,) int64, the target's id in `instances`; None for regions.
        ignore: (B, 1, H, W) bool, pixels that count nowhere; None when there are none.
        step: (B,) int64, epoch or training step: the same sample gets other draws in another step.
    """

    target: Tensor
    sample_id: Tensor
    instances: Tensor | None = None
    object_id: Tensor | None = None
    ignore: Tensor | None = None
    step: Tensor | None = None

    def __len__(self) -> int:
        return self.target.shape[0]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.target.shape[-2], self.target.shape[-1]

    @property
    def others(self) -> Tensor:
        """(B, 1, H, W) bool: pixels of other objects."""
        if self.instances is None:
            return torch.zeros_like(self.target)
        return (self.instances > 0) & ~self.target

    def select(self, index: Tensor) -> Truth:
        """The samples in `index` (integers or booleans)."""
        return self._map(lambda value: value[index])

    def to(self, device: torch.device | str) -> Truth:
        """The same truth on another device."""
        return self._map(lambda value: value.to(device))

    def _map(self, change: Callable[[Tensor], Tensor]) -> Truth:
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{name: change(value) for name, value in values.items() if value is not None})


class SimulatedUser(ABC):
    """Says, for each sample of a batch, what a person would do next.

    Randomness comes from `zoo.ops.random` with the sample's id, step, turn and draw, so that what is said does not
    depend on the batch or the device. A sample with nothing to say returns padding, which ends its session.

    Attributes:
        gives: what it says in a turn. Where it is anything but clicks, results count interactions (NoI) instead of
            clicks (NoC).
    """

    gives: Kind = "click"

    def beyond(self, extent: float) -> float:
        """How far beyond a target's box it may say something, in pixels; `extent` is the box's longer side."""
        return 0.0

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({arguments})"

    @abstractmethod
    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """New interactions in image pixels.

        Args:
            prediction: (B, 1, H, W) bool, the current mask.
            truth: what is true of the samples.
            so_far: everything said in earlier turns.
            turn: 0 for the first.
        """

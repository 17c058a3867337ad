"""What every minimiser is: a search for the least of one function a sample, many samples at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.errors import ConfigError


@dataclass(frozen=True)
class Evaluation:
    """What K samples' functions are at one place each.

    Attributes:
        loss: (K,).
        gradient: (K, P); may be anything where `finished`.
        finished: (K,) bool, where the search may end.
        output: (K, ...), what else came out there.
    """

    loss: Tensor
    gradient: Tensor
    finished: Tensor
    output: Tensor


Function = Callable[[Tensor, Tensor], Evaluation]
"""Called with places (K, P) and with the samples (K,), integers, whose functions are asked for."""


class Minimizer(ABC):
    """Searches each sample's own minimum; a sample's search depends on no other sample.

    A search ends where the function says so, and where loss or gradient are no longer finite numbers.

    Args:
        evaluations: of a sample's function, at most.

    Attributes:
        last: whether the last place with a finite loss is returned; otherwise the one with the lowest loss.
    """

    last: bool = False

    def __init__(self, evaluations: int) -> None:
        if evaluations < 1:
            raise ConfigError(f"evaluations={evaluations} must be at least 1")
        self.evaluations = evaluations

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({arguments})"

    def __call__(self, function: Function, start: Tensor) -> tuple[Tensor, Tensor]:
        """The best places (B, P) that were seen, searching from `start` (B, P), and the outputs (B, ...) there."""
        seen = _Seen(function, start, self.last)
        if len(start):
            self.search(seen, start)
        return seen.places, seen.outputs

    @abstractmethod
    def search(self, function: Function, start: Tensor) -> None:
        """Evaluate the function at one place after the other, B = 1 or more samples at once."""


class _Seen:
    """Evaluates and keeps the best of every sample."""

    def __init__(self, function: Function, start: Tensor, last: bool) -> None:
        self.function = function
        self.last = last
        self.places = start.clone()
        self.outputs = start.new_zeros(len(start), 0)
        self.loss = start.new_full((len(start),), torch.inf)
        self.begun = False

    def __call__(self, places: Tensor, samples: Tensor) -> Evaluation:
        now = self.function(places, samples)
        broken = ~(now.loss.isfinite() & now.gradient.isfinite().all(1))
        loss = now.loss.masked_fill(broken, torch.inf).to(self.loss.dtype)
        if not self.begun:
            self.outputs = now.output.new_zeros(len(self.loss), *now.output.shape[1:])
            self.begun = True
        best = self.loss[samples]
        # An infinite loss may replace another, so that every sample has an output.
        better = (~broken if self.last else loss < best) | best.isinf()
        rows = samples[better]
        self.loss[rows] = loss[better]
        self.places[rows] = places[better]
        self.outputs[rows] = now.output[better]
        return Evaluation(now.loss, now.gradient, now.finished | broken, now.output)

"""Adam for many samples at once."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.refiners.minimizer import Function, Minimizer


class BatchedAdam(Minimizer):
    """Adam (Kingma and Ba 2015) with moments of each sample's own; returns the last place.

    Args:
        rate: learning rate.
        steps: at most.
        decays: of the two moments.
        eps: added to the root of the second moment.
    """

    last = True

    def __init__(
        self, rate: float = 0.05, steps: int = 20, decays: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        super().__init__(steps + 1)
        self.rate, self.decays, self.eps = rate, decays, eps

    def search(self, function: Function, start: Tensor) -> None:
        """As `Minimizer` has it."""
        samples = torch.arange(len(start), device=start.device)
        x, first, second = start, torch.zeros_like(start), torch.zeros_like(start)
        one, two = self.decays
        for step in range(1, self.evaluations):
            now = function(x, samples)
            keep = (~now.finished).nonzero()[:, 0]
            if len(keep) == 0:
                return
            samples, x, gradient = samples[keep], x[keep], now.gradient[keep]
            first = one * first[keep] + (1 - one) * gradient
            second = two * second[keep] + (1 - two) * gradient.square()
            x = x - self.rate * (first / (1 - one**step)) / ((second / (1 - two**step)).sqrt() + self.eps)
        function(x, samples)

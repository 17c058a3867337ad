"""L-BFGS for many samples at once on their device."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.refiners.line_search import LineSearch
from zoo.refiners.minimizer import Evaluation, Function, Minimizer

History = list[tuple[Tensor, Tensor, Tensor]]


class BatchedLBFGS(Minimizer):
    """L-BFGS (Liu and Nocedal 1989) with a history, a step and a strong Wolfe line search of each sample's own.

    The samples' functions are evaluated together, and finished samples no more. Choices are those of L-BFGS-B without
    bounds: the first step has length 1, the later ones begin at the full step, and pairs without positive curvature are
    left out. All pairs are kept, which are at most `evaluations - 1`.

    Args:
        evaluations: of a sample's function, at most.
        tolerance: a search ends when no component of the gradient is larger.
    """

    def __init__(self, evaluations: int = 20, tolerance: float = 1e-8) -> None:
        super().__init__(evaluations)
        self.tolerance = tolerance

    def search(self, function: Function, start: Tensor) -> None:
        """As `Minimizer` has it."""
        samples = torch.arange(len(start), device=start.device)
        x, history = start, History()
        now = function(x, samples)
        value, gradient = now.loss.double(), now.gradient
        scale = torch.ones_like(value)
        direction = -gradient
        line = LineSearch()
        line.begin(torch.ones_like(now.finished), 1 / _dot(gradient, gradient).sqrt(), value, _dot(gradient, direction))
        active = ~(now.finished | self._flat(gradient))
        for _ in range(self.evaluations - 1):
            if not bool(active.all()):
                keep = active.nonzero()[:, 0]
                if len(keep) == 0:
                    return
                samples, x, value, gradient = samples[keep], x[keep], value[keep], gradient[keep]
                scale, direction = scale[keep], direction[keep]
                history = [(s[keep], y[keep], rho[keep]) for s, y, rho in history]
                line.select(keep)
            trial = x + line.step.to(x.dtype)[:, None] * direction
            now = function(trial, samples)
            taken = line.advance(now.loss.double(), _dot(now.gradient, direction))
            progress = now.loss.double() < value
            scale = self._remember(history, trial - x, now, gradient, taken, scale)
            x = torch.where(taken[:, None], trial, x)
            gradient = torch.where(taken[:, None], now.gradient, gradient)
            value = torch.where(taken, now.loss.double(), value)
            following, scale = _downhill(history, gradient, scale)
            direction = torch.where(taken[:, None], following, direction)
            line.begin(taken, torch.ones_like(value), value, _dot(gradient, direction))
            active = ~(now.finished | taken & (~progress | self._flat(gradient)))

    def _flat(self, gradient: Tensor) -> Tensor:
        return gradient.abs().amax(1) <= self.tolerance

    @staticmethod
    def _remember(
        history: History, step: Tensor, now: Evaluation, before: Tensor, taken: Tensor, scale: Tensor
    ) -> Tensor:
        """Add a pair for the samples that took a step; returns each sample's s.y / y.y of its newest pair."""
        change = now.gradient - before
        curvature = _dot(step, change)
        pair = taken & (curvature > torch.finfo(torch.float64).eps * -_dot(step, before))
        # A pair of weight 0 changes nothing, so that samples at different paces share the list.
        weight = torch.where(pair, 1 / curvature, 0)
        history.append((step.masked_fill(~pair[:, None], 0), change.masked_fill(~pair[:, None], 0), weight))
        return torch.where(pair, curvature / _dot(change, change), scale)


def _downhill(history: History, gradient: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Minus the inverse Hessian times the gradient (two-loop recursion), and the scales (n,) it was made with.

    Where that does not lead downhill, the sample forgets its pairs and follows its gradient.
    """
    q = gradient
    weights = []
    for s, y, rho in reversed(history):
        alpha = rho * _dot(s, q)
        q = q - alpha.to(q.dtype)[:, None] * y
        weights.append(alpha)
    q = scale.to(q.dtype)[:, None] * q
    for (s, y, rho), alpha in zip(history, reversed(weights), strict=True):
        q = q + (alpha - rho * _dot(y, q)).to(q.dtype)[:, None] * s
    uphill = ~(_dot(q, gradient) > 0)
    history[:] = [(s, y, rho.masked_fill(uphill, 0)) for s, y, rho in history]
    return -torch.where(uphill[:, None], gradient, q), scale.masked_fill(uphill, 1)


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """(n,) float64 from two (n, P)."""
    return (one * other).sum(1, dtype=torch.float64)

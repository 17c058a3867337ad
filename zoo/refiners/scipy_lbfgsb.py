"""SciPy's L-BFGS-B, one sample after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from zoo.refiners.minimizer import Function, Minimizer

Vector = np.ndarray[Any, np.dtype[np.float64]]


class ScipyLBFGSB(Minimizer):
    """L-BFGS-B (Zhu et al. 1997) on the CPU, as the papers used it: the reference for `BatchedLBFGS`.

    It has no bounds and stops for no relative reduction (`factr` 0). SciPy only looks at its own limit of evaluations
    between line searches; here it holds within them too.

    Args:
        evaluations: of a sample's function, at most.
        memory: pairs in the history.
        tolerance: a search ends when no component of the gradient is larger.
    """

    def __init__(self, evaluations: int = 20, memory: int = 20, tolerance: float = 1e-8) -> None:
        super().__init__(evaluations)
        self.memory = memory
        self.tolerance = tolerance

    def search(self, function: Function, start: Tensor) -> None:
        """As `Minimizer` has it."""
        for i in range(len(start)):
            try:
                minimize(
                    _One(function, start, i, self.evaluations),
                    start[i].double().cpu().numpy(),
                    jac=True,
                    method="L-BFGS-B",
                    options={"maxcor": self.memory, "ftol": 0.0, "gtol": self.tolerance},
                )
            except _Finished:
                continue


class _Finished(Exception):  # noqa: N818
    """Leads out of SciPy."""


class _One:
    """The function of one sample, as SciPy wants it."""

    def __init__(self, function: Function, start: Tensor, sample: int, evaluations: int) -> None:
        self.function = function
        self.start = start
        self.sample = torch.tensor([sample], device=start.device)
        self.left = evaluations

    def __call__(self, place: Vector) -> tuple[float, Vector]:
        now = self.function(torch.tensor(place[None]).to(self.start), self.sample)
        self.left -= 1
        if self.left == 0 or bool(now.finished):
            raise _Finished
        return float(now.loss), now.gradient[0].double().cpu().numpy()

"""Which implementation runs: libraries on the CPU, pure torch on accelerators."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from zoo.errors import ConfigError


def use_torch(mask: Tensor, force_torch: bool) -> bool:
    """Check that `mask` is (B,H,W) bool and say whether the pure torch path runs; tests force it on the CPU."""
    if mask.ndim != 3 or mask.dtype != torch.bool:
        raise ConfigError(
            f"A mask of shape {tuple(mask.shape)} and type {mask.dtype} was given; pass a (B,H,W) bool tensor."
        )
    return force_torch or mask.device.type != "cpu"


def per_sample(function: Callable[[np.ndarray], np.ndarray], mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Apply a numpy function of an (H,W) bool array to every sample of a CPU mask (B,H,W)."""
    out = torch.empty(mask.shape, dtype=dtype)
    for sample, result in zip(mask.numpy(), out.numpy(), strict=True):
        result[...] = function(np.ascontiguousarray(sample))
    return out

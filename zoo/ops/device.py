"""Which implementation runs: libraries on the CPU, pure torch on accelerators."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import torch
from torch import Tensor

from zoo.errors import ConfigError

_PURE = ContextVar("pure_torch", default=False)


@contextmanager
def pure_torch() -> Iterator[None]:
    """Within it the CPU, too, runs the pure torch path of accelerators, so that tests need none."""
    token = _PURE.set(True)
    try:
        yield
    finally:
        _PURE.reset(token)


def use_torch(tensor: Tensor) -> bool:
    """Whether the pure torch path runs."""
    return _PURE.get() or tensor.device.type != "cpu"


def check_mask(mask: Tensor) -> None:
    """Refuse what is no (B,H,W) bool tensor.

    Raises:
        ConfigError: another shape or type.
    """
    if mask.ndim != 3 or mask.dtype != torch.bool:
        raise ConfigError(
            f"A mask of shape {tuple(mask.shape)} and type {mask.dtype} was given; pass a (B,H,W) bool tensor."
        )


def per_sample(function: Callable[[np.ndarray], np.ndarray], mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Apply a numpy function of an (H,W) bool array to every sample of a CPU mask (B,H,W)."""
    out = torch.empty(mask.shape, dtype=dtype)
    for sample, result in zip(mask.numpy(), out.numpy(), strict=True):
        result[...] = function(np.ascontiguousarray(sample))
    return out


def layout(device: torch.device) -> torch.memory_format:
    """How images and weights of convolutions lie in memory: channels last on a CPU, which is faster there.

    On an accelerator cuDNN (9.19) compiles depthwise convolutions with channels last for each new shape, for seconds.
    """
    return torch.channels_last if device.type == "cpu" else torch.contiguous_format

"""In which precision a network runs at test time."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

Precision = Literal["trainer", "auto", "float32", "bfloat16"]


def in_precision(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """The context in which a network on `device` runs.

    `trainer` changes nothing: what surrounds the call decides, which is Lightning's `precision` in training and
    evaluation. `auto` is bfloat16 on CPUs with matrix units (AMX), where it is several times faster, and float32
    everywhere else: without these units bfloat16 is slower than float32. `float32` and `bfloat16` are that,
    whatever surrounds the call.
    """
    if precision == "trainer":
        return nullcontext()
    half = precision == "bfloat16" or (precision == "auto" and device.type == "cpu" and has_matrix_units())
    return torch.autocast(device.type, torch.bfloat16, enabled=half)


def has_matrix_units() -> bool:
    """Whether the CPU multiplies bfloat16 matrices in hardware (AMX)."""
    return bool(torch.cpu._is_amx_tile_supported())

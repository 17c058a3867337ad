"""How contracts compare results, and say what is wrong."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.inference.engine import State

LOOSE = 0.1
"""Tolerance of probabilities above which nothing can be said of numbers of pixels."""


def assert_equal(actual: Tensor, expected: Tensor, demand: str, tolerance: float = 0.0) -> None:
    """Shape, dtype and values, the latter but for `tolerance`.

    Raises:
        AssertionError: they differ; it begins with what was demanded.
    """
    torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance, msg=lambda details: f"{demand}\n{details}")


def assert_same(actual: State, expected: State, demand: str = "states are equal", tolerance: float = 0.0) -> None:
    """The same tensors under the same names, but for `tolerance`.

    Whole numbers are the same, unless `tolerance` is above `LOOSE`: then pixels may lie across a threshold,
    and counts of those above it follow them.

    Raises:
        AssertionError: they differ.
    """
    assert actual.keys() == expected.keys(), f"{demand}: they hold {sorted(actual)} and {sorted(expected)}"
    for name, value in actual.items():
        if value.is_floating_point() or tolerance <= LOOSE:
            assert_equal(value, expected[name], f"{demand}: {name}", tolerance)


def assert_same_form(actual: State, expected: State, demand: str) -> None:
    """Tensors of the same shape and dtype on the same device under the same names.

    Raises:
        AssertionError: they differ.
    """
    found, wanted = _form(actual), _form(expected)
    assert found == wanted, f"{demand}: {found}, not {wanted}"


def _form(state: State) -> dict[str, tuple[tuple[int, ...], torch.dtype, str]]:
    return {name: (tuple(value.shape), value.dtype, value.device.type) for name, value in state.items()}

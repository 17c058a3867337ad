"""Masks that break careless geometry, shared by the tests of zoo.ops."""

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from torch import Tensor


def adversarial(height: int = 17, width: int = 23) -> dict[str, Tensor]:
    """Named masks (H,W) bool."""
    rng = np.random.default_rng(0)
    row, column = np.mgrid[:height, :width]
    masks = {
        "empty": np.zeros((height, width), bool),
        "full": np.ones((height, width), bool),
        "one pixel": (row == 5) & (column == 7),
        "one corner": (row == 0) & (column == width - 1),
        "all but one pixel": ~((row == 8) & (column == 3)),
        "frame": (row == 0) | (column == 0) | (row == height - 1) | (column == width - 1),
        "ring": (abs(row - 8) <= 5) & (abs(column - 11) <= 5) & ~((abs(row - 8) <= 2) & (abs(column - 11) <= 2)),
        "open ring": (abs(row - 8) <= 5)
        & (abs(column - 11) <= 5)
        & ~((abs(row - 8) <= 2) & (column >= 9) & (column <= 30)),
        "touching diagonals": (row + column) % 2 == 0,
        "diagonal squares": ((row < 8) & (column < 9)) | ((row >= 8) & (column >= 9)),
        "comb": (column % 2 == 0) | (row == height - 1),
        "two equal": ((row < 4) & (column < 4)) | ((row >= 10) & (row < 14) & (column >= 10) & (column < 14)),
        "half": column < width // 2,
        "disk": (row - 8.0) ** 2 + (column - 11.0) ** 2 < 50,
        "spiral": _spiral(height, width),
    }
    masks |= {f"random {p}": rng.random((height, width)) < p for p in (0.03, 0.3, 0.5, 0.6, 0.8, 0.97)}
    return {name: torch.from_numpy(mask) for name, mask in masks.items()}


def _spiral(height: int, width: int) -> np.ndarray:
    """A path one pixel wide that winds inwards: the longest way a label can travel."""
    mask = np.zeros((height, width), bool)
    row, column, dr, dc = 0, 0, 0, 1
    mask[0, 0] = True
    turns = 0
    while turns < 2:
        r, c = row + dr, column + dc
        rr, cc = r + dr, c + dc
        ahead = 0 <= rr < height and 0 <= cc < width and mask[rr, cc]
        if 0 <= r < height and 0 <= c < width and not mask[r, c] and not ahead:
            row, column, turns = r, c, 0
            mask[row, column] = True
        else:
            dr, dc, turns = dc, -dr, turns + 1
    return mask


def stacked() -> Tensor:
    """All adversarial masks as a batch (B,H,W): samples must not touch each other."""
    return torch.stack(list(adversarial().values()))


def thin() -> list[Tensor]:
    """Batches (B,1,N), (B,N,1) and (B,1,1)."""
    bits = torch.from_numpy(np.random.default_rng(1).random((6, 31)) < 0.5)
    bits[0], bits[1] = True, False
    return [bits[:, None, :], bits[:, :, None], bits[:2, :1, None]]


batches = arrays(bool, array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=12), elements=st.booleans())

"""A click at the target's centroid."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.interactions import PADDING, Interactions
from zoo.ops.random import argmax_pixel
from zoo.users.base import SimulatedUser, Truth


class Centroid(SimulatedUser):
    """A positive click at the centroid of the target (NuClick's test click, section III.D).

    When the centroid's pixel is not of the target, the nearest target pixel is clicked: the first in raster order of
    equally near ones. It says the same in every turn.
    """

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """One click a sample; padding where the target has no pixel."""
        target = truth.target[:, 0] if truth.ignore is None else (truth.target & ~truth.ignore)[:, 0]
        column = torch.arange(target.shape[2], device=target.device, dtype=torch.float64)
        row = torch.arange(target.shape[1], device=target.device, dtype=torch.float64)
        area = target.flatten(1).sum(1).clamp(min=1)
        # The pixel that holds the centroid: sums of whole numbers are exact, so it is the same on every device.
        x = ((target.sum(1) * column).sum(1) / area + 0.5).floor()
        y = ((target.sum(2) * row).sum(1) / area + 0.5).floor()
        far = (column - x[:, None]).square()[:, None, :] + (row - y[:, None]).square()[:, :, None]
        xy = argmax_pixel(-far.masked_fill(~target, torch.inf))
        label = torch.where(target.flatten(1).any(1), 1.0, PADDING)
        return Interactions.clicks(xy[:, :1], xy[:, 1:], label[:, None], turn, truth.size)

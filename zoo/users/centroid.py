"""A click at the object's centroid."""

import torch
from torch import Tensor

from zoo.interactions import PADDING, Interactions
from zoo.ops.random import argmax_pixel
from zoo.users.base import SimulatedUser, Truth


class Centroid(SimulatedUser):
    """A positive click on the target's pixel nearest to its centroid (NuClick's clicks at test time)."""

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """One positive click a sample; nothing where the target is empty."""
        target = truth.target[:, 0]
        height, width = truth.size
        area = target.flatten(1).sum(1).clamp(min=1).double()
        columns = torch.arange(width, device=target.device, dtype=torch.float64) + 0.5
        rows = torch.arange(height, device=target.device, dtype=torch.float64) + 0.5
        x = (target.sum(1) * columns).sum(1) / area
        y = (target.sum(2) * rows).sum(1) / area
        squared = (columns[None, None] - x[:, None, None]) ** 2 + (rows[None, :, None] - y[:, None, None]) ** 2
        xy = argmax_pixel(-squared.masked_fill(~target, torch.inf))
        label = torch.where(target.flatten(1).any(1), 1.0, PADDING)
        return Interactions.clicks(xy[:, :1], xy[:, 1:], label[:, None], turn, truth.size)

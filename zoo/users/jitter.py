"""Clicks that miss."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from zoo.errors import ConfigError
from zoo.interactions import Interactions, Kind
from zoo.ops.draws import Draw
from zoo.users.base import SimulatedUser, Truth
from zoo.users.draws import draws


class Jitter(SimulatedUser):
    """Another user whose clicks are moved at random (NuClick, Table VIII); strokes and boxes stay.

    Clicks keep their sign, stay in the image and end at pixel centres.

    Args:
        user: whose clicks are moved.
        sigma: standard deviation of the normal movement along x and along y, in pixels.
    """

    def __init__(self, user: SimulatedUser, sigma: float) -> None:
        if not sigma >= 0:
            raise ConfigError(f"sigma={sigma} must be 0 or more pixels")
        self.user = user
        self.sigma = sigma

    @property
    def gives(self) -> Kind:  # type: ignore[override]
        """What the user gives."""
        return self.user.gives

    def beyond(self, extent: float) -> float:
        """Five standard deviations beyond the user's."""
        return self.user.beyond(extent) + 5 * self.sigma

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """What the user says, moved."""
        new = self.user(prediction, truth, so_far, turn)
        count = new.points.shape[1]
        # Box and Muller's way from two uniform numbers to two normal ones.
        length = (-2 * torch.log1p(-draws(truth, turn, Draw.JITTER_LENGTH, count))).sqrt() * self.sigma
        angle = draws(truth, turn, Draw.JITTER_ANGLE, count) * (2 * math.pi)
        shift = torch.stack([length * angle.cos(), length * angle.sin()], -1)
        height, width = new.size
        limit = torch.tensor([width - 1, height - 1], device=new.device)
        moved = (new.points[..., :2] + shift).floor().clamp(min=torch.zeros_like(limit), max=limit) + 0.5
        points = torch.cat([moved.to(new.points.dtype), new.points[..., 2:]], -1)
        given = new.points[..., 2:3] >= 0
        return replace(new, points=torch.where(given, points, new.points))

"""A random click inside the target."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.interactions import PADDING, Interactions
from zoo.ops.distance import distance_transform
from zoo.ops.draws import Draw
from zoo.ops.random import choose_pixel
from zoo.users.base import SimulatedUser, Truth
from zoo.users.draws import draw


class RandomInside(SimulatedUser):
    """A positive click at a random pixel of the target, away from its border (NuClick, section III.A).

    Args:
        min_distance: in pixels, from the clicked pixel's centre to the nearest centre outside the target. The image's
            edge is no border. A target with no pixel that far inside is clicked where it is thickest.
    """

    def __init__(self, min_distance: float = 2.0) -> None:
        self.min_distance = min_distance

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """One click a sample; padding where the target has no pixel."""
        target = truth.target[:, 0]
        allowed = target if truth.ignore is None else target & ~truth.ignore[:, 0]
        distance = distance_transform(target).masked_fill(~allowed, 0)
        deepest = distance.flatten(1).amax(1)
        inside = allowed & (distance >= deepest.clamp(max=self.min_distance)[:, None, None])
        xy, valid = choose_pixel(inside, draw(truth, turn, Draw.INSIDE))
        label = torch.where(valid, 1.0, PADDING)
        return Interactions.clicks(xy[:, :1], xy[:, 1:], label[:, None], turn, truth.size)

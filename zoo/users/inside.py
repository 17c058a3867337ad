"""A random click inside the object."""

import torch
from torch import Tensor

from zoo.interactions import PADDING, Interactions
from zoo.ops.distance import distance_transform
from zoo.ops.random import choose_pixel, uniform
from zoo.users.base import SimulatedUser, Truth

DRAW = 1


class RandomInside(SimulatedUser):
    """A positive click on a random pixel of the target, not near its border (NuClick, section III.C).

    Args:
        min_distance: least distance in pixels to the nearest pixel outside; where no pixel is that far from the
            border, one of the farthest. The image's border is none of the object's.
    """

    def __init__(self, min_distance: float = 2.0) -> None:
        self.min_distance = min_distance

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """One positive click a sample; nothing where the target is empty."""
        target = truth.target[:, 0]
        distance = distance_transform(target)
        most = distance.flatten(1).amax(1).clamp(max=self.min_distance)
        inner = target & (distance >= most[:, None, None])
        draw = uniform(truth.sample_id, 0 if truth.step is None else truth.step, turn, DRAW)
        xy, valid = choose_pixel(inner, draw)
        label = torch.where(valid, 1.0, PADDING)
        return Interactions.clicks(xy[:, :1], xy[:, 1:], label[:, None], turn, truth.size)

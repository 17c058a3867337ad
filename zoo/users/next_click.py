"""The field's standard user: clicks the centre of the largest error."""

import torch
from torch import Tensor

from zoo.interactions import PADDING, Interactions
from zoo.ops.distance import distance_transform
from zoo.ops.random import argmax_pixel
from zoo.users.base import SimulatedUser, Truth


class NextClick(SimulatedUser):
    """A click at the pixel deepest inside the missed or the wrong pixels (as in RITM and f-BRS, exactly).

    Exact Euclidean distances with a 1-pixel zero border; pixels already clicked count as 0; the sign with the larger
    maximum wins and ties go to negative; the first pixel in raster order at the maximum. Without a wrong pixel left,
    nothing is said.
    """

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """One click a sample, or padding."""
        mask, target = prediction[:, 0], truth.target[:, 0]
        valid = torch.ones_like(target) if truth.ignore is None else ~truth.ignore[:, 0]
        clicked = so_far.pixels(1, strokes=False) | so_far.pixels(0, strokes=False)
        missed = distance_transform(target & ~mask & valid, border=True).masked_fill(clicked, 0)
        wrong = distance_transform(mask & ~target & valid, border=True).masked_fill(clicked, 0)
        most_missed, most_wrong = missed.flatten(1).amax(1), wrong.flatten(1).amax(1)
        positive = most_missed > most_wrong
        xy = argmax_pixel(torch.where(positive[:, None, None], missed, wrong))
        label = torch.where(torch.maximum(most_missed, most_wrong) > 0, positive.float(), PADDING)
        return Interactions.clicks(xy[:, :1], xy[:, 1:], label[:, None], turn, truth.size)

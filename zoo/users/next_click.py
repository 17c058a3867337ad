"""The next click of the interactive protocol."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.interactions import PADDING, Interactions
from zoo.ops.distance import distance_transform
from zoo.ops.random import argmax_pixel
from zoo.users.base import SimulatedUser, Truth


class NextClick(SimulatedUser):
    """A click in the middle of the largest error, as the number-of-clicks protocol has it (RITM, section 4).

    The middle is the pixel of a false negative or false positive region that is farthest from the region's border, the
    image's edge included; pixels that were clicked or scribbled on before are left out. The sign with the larger
    distance wins and equal ones give a negative click; of equal pixels it is the first in raster order. Pixels to be
    ignored are no error. Without any error pixel left nothing is said.
    """

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """One click a sample, or padding."""
        wrong = prediction ^ truth.target
        if truth.ignore is not None:
            wrong = wrong & ~truth.ignore
        missing, excess = (wrong & truth.target)[:, 0], (wrong & prediction)[:, 0]
        distance = distance_transform(torch.cat([missing, excess]), border=True)
        distance = distance.view(2, *missing.shape).masked_fill(so_far.pixels(1) | so_far.pixels(0), 0)
        greatest = distance.flatten(2).amax(2)
        positive = greatest[0] > greatest[1]
        xy = argmax_pixel(torch.where(positive[:, None, None], distance[0], distance[1]))
        label = torch.where(greatest.amax(0) > 0, positive.float(), PADDING)
        return Interactions.clicks(xy[:, :1], xy[:, 1:], label[:, None], turn, truth.size)

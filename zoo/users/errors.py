"""Where the current mask is wrong."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.interactions import Interactions
from zoo.ops.distance import distance_transform
from zoo.users.base import Truth


def larger_error(prediction: Tensor, truth: Truth, so_far: Interactions) -> tuple[Tensor, Tensor]:
    """The false negative or the false positive pixels, whichever reach farther from their border.

    The image's edge is a border; equal errors give the false positives. Pixels to be ignored are no error.

    Args:
        prediction: (B, 1, H, W) bool, the current mask.
        truth: what is true of the samples.
        so_far: pixels that were clicked or scribbled on get distance 0.

    Returns:
        (B, H, W) float32, each wrong pixel's distance to its region's border in pixels and 0 elsewhere, and (B,) bool,
        whether the pixels are false negatives.
    """
    wrong = prediction ^ truth.target
    if truth.ignore is not None:
        wrong = wrong & ~truth.ignore
    missing, excess = (wrong & truth.target)[:, 0], (wrong & prediction)[:, 0]
    distance = distance_transform(torch.cat([missing, excess]), border=True)
    distance = distance.view(2, *missing.shape).masked_fill(so_far.pixels(1) | so_far.pixels(0), 0)
    greatest = distance.flatten(2).amax(2)
    positive = greatest[0] > greatest[1]
    return torch.where(positive[:, None, None], distance[0], distance[1]), positive

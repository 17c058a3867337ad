"""Where the current mask is wrong."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.interactions import Interactions
from zoo.ops.deep import choose_deep
from zoo.users.base import Truth


def click_larger_error(
    prediction: Tensor, truth: Truth, so_far: Interactions, turn: int, depth: float, u: Tensor
) -> Interactions:
    """A click on the false negative or the false positive pixels, whichever reach farther from their border.

    The image's edge is a border; equal errors give the false positives. Pixels to be ignored are no error.

    Args:
        prediction: (B, 1, H, W) bool, the current mask.
        truth: what is true of the samples.
        so_far: pixels that were clicked or scribbled on get distance 0.
        turn: of the click.
        depth: the pixels among which the click is chosen: see `zoo.ops.choose_deep`.
        u: (B,) float64 in [0, 1), which of them it is.

    Returns:
        One click a sample; padding where nothing is wrong.
    """
    wrong = prediction ^ truth.target
    if truth.ignore is not None:
        wrong = wrong & ~truth.ignore
    # In the order of their labels.
    errors = torch.stack([wrong & prediction, wrong & truth.target])[:, :, 0]
    xy, label = choose_deep(errors, so_far.pixels(1) | so_far.pixels(0), depth, u)
    return Interactions.clicks(xy[:, :1], xy[:, 1:], label[:, None].float(), turn, truth.size)

"""The next click of the interactive protocol."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.interactions import Interactions
from zoo.users.base import SimulatedUser, Truth
from zoo.users.errors import click_larger_error


class NextClick(SimulatedUser):
    """A click in the middle of the largest error, as the number-of-clicks protocol has it (RITM, section 4).

    The middle is the pixel of a false negative or false positive region that is farthest from the region's border, the
    image's edge included; pixels that were clicked or scribbled on before are left out. The sign with the larger
    distance wins and equal ones give a negative click; of equal pixels it is the first in raster order. Pixels to be
    ignored are no error. Without any error pixel left nothing is said.
    """

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """One click a sample, or padding."""
        first = torch.zeros(len(truth), dtype=torch.float64, device=prediction.device)
        return click_larger_error(prediction, truth, so_far, turn, 1.0, first)

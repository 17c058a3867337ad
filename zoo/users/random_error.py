"""A random click on the error."""

from __future__ import annotations

from torch import Tensor

from zoo.errors import ConfigError
from zoo.interactions import Interactions
from zoo.ops.draws import Draw
from zoo.users.base import SimulatedUser, Truth
from zoo.users.draws import draw
from zoo.users.errors import click_larger_error


class RandomInError(SimulatedUser):
    """A click at a random pixel of the larger error, away from its border.

    The error's sign is chosen as `NextClick` does, and pixels that were clicked or scribbled on are left out. With the
    default depth it gives the clicks of RITM's iterative training (Sofiiuk et al. 2021); with depth 0 it is a user in
    evaluation who clicks anywhere on the error.

    Args:
        depth: the clicked pixel's distance to its region's border exceeds this share of the largest one, in [0, 1); 0
            for every wrong pixel of that sign.
    """

    def __init__(self, depth: float = 0.5) -> None:
        if not 0 <= depth < 1:
            raise ConfigError(f"depth={depth} must be at least 0 and below 1, e.g. 0.5")
        self.depth = depth

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """One click a sample; padding where nothing is wrong."""
        return click_larger_error(prediction, truth, so_far, turn, self.depth, draw(truth, turn, Draw.IN_ERROR))

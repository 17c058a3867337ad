"""NuClick (Koohbanani et al. 2020): one click a nucleus or cell, one squiggle a gland."""

from __future__ import annotations

from typing import Any

from torch import nn

from zoo import segmenters
from zoo.losses import NuClickLoss
from zoo.methods.base import InteractiveMethod
from zoo.segmenters.nuclick import PostProcess
from zoo.users.base import SimulatedUser
from zoo.users.compose import Together, Turns
from zoo.users.inside import RandomInside
from zoo.users.next_click import NextClick
from zoo.users.others import OtherObjects


class NuClick(segmenters.NuClick, InteractiveMethod):
    """NuClick: single-pixel inclusion and exclusion maps beside the image, one network, per-patch post-processing.

    By default the training user clicks a random point at least 2 px inside the object and the centroids of the other
    objects, each dropped with p ~ U(0, 0.5) and moved by up to 3 px. In later turns (see `turns`) it clicks the
    current error, without which corrective clicks make the mask worse.

    By default: inclusion and exclusion maps, the hybrid loss with the released weight map, windows of 128 px. For
    glands give the user `Squiggle` in place of the click.

    Args:
        network: maps 5 channels to logits; None: `NuClickNet()`.
        postprocess: from probability to mask; it holds the threshold.
        common: see `InteractiveMethod`; without `threshold`.
    """

    segmenter = segmenters.NuClick
    default_turns = (0.5, 0.1667, 0.1667, 0.1666)

    def __init__(
        self, network: nn.Module | None = None, *, postprocess: PostProcess | None = None, **common: Any
    ) -> None:
        # Said here for `zoo fit --help`, which shows what a class itself takes.
        super().__init__(network, postprocess=postprocess, **common)

    def default_loss(self) -> nn.Module:
        """The hybrid loss with the released weight map."""
        return NuClickLoss()

    def default_user(self) -> SimulatedUser:
        """See `training_user`."""
        return training_user()


def training_user() -> SimulatedUser:
    """A random click inside and the other objects' centroids, then the next click on the error."""
    first = Together([RandomInside(min_distance=2.0), OtherObjects(drop=(0.0, 0.5), jitter=3)])
    return Turns([first, NextClick()])

"""RITM (Sofiiuk et al. 2021): clicks and the mask before them."""

from __future__ import annotations

from typing import Any

from torch import nn

from zoo import segmenters
from zoo.losses import NormalizedFocalLoss
from zoo.methods.base import InteractiveMethod
from zoo.users.base import SimulatedUser
from zoo.users.compose import Turns
from zoo.users.random_error import RandomInError
from zoo.users.training_clicks import TrainingClicks


class RITM(segmenters.RITM, InteractiveMethod):
    """RITM: image, click disks and previous mask, to a better mask (Reviving Iterative Training with Mask Guidance).

    The previous mask is the last turn's probability, all 0 before the first. A session can start from an external
    mask, which the clicks then correct. Training follows the paper's iterative sampling: some random clicks, then up to
    three that answer the network's own mask, their number drawn for each sample (the release draws it for each batch).

    The network maps 3 channels, the guidance and the previous mask, in this order, to logits. By default: disks of
    radius 5; normalised focal loss, alpha 0.5 and gamma 2; `ritm_user`; 1 to 4 turns, equally often.

    Args:
        network: maps 3 channels, the guidance and the previous mask to logits.
        connected: whether only what is connected with something positive, or with the mask before, is segmented: of an
            object that is one piece. See `zoo.segmenters.RITM`.
        common: see `InteractiveMethod`.
    """

    segmenter = segmenters.RITM
    default_turns = (0.25, 0.25, 0.25, 0.25)

    def __init__(self, network: nn.Module, *, connected: bool = False, **common: Any) -> None:
        # Said here for `zoo fit --help`, which shows what a class itself takes.
        super().__init__(network, connected=connected, **common)

    def default_loss(self) -> nn.Module:
        """Normalised focal loss, alpha 0.5 and gamma 2."""
        return NormalizedFocalLoss()

    def default_user(self) -> SimulatedUser:
        """See `ritm_user`."""
        return ritm_user()


def ritm_user() -> SimulatedUser:
    """Up to 24 random clicks a sign, then a click a turn deep inside the larger error."""
    return Turns([TrainingClicks(), RandomInError()])

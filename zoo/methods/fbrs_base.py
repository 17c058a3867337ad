"""The network that BRS and f-BRS refine (Sofiiuk et al. 2020)."""

from __future__ import annotations

from torch import nn

from zoo import segmenters
from zoo.losses import NormalizedFocalLoss
from zoo.methods.base import InteractiveMethod
from zoo.users.base import SimulatedUser
from zoo.users.training_clicks import TrainingClicks


class FBRSBase(segmenters.FBRSBase, InteractiveMethod):
    """The base network of f-BRS: image and distance maps of the clicks, without a previous mask (f-BRS, released code).

    It is trained on random clicks alone. What answers the mask at test time is a refiner: with none this is the plain
    feed-forward network of the paper's comparison.

    By default: `tanh(2 d / 260)` of the distance d to the nearest click of each sign; normalised focal loss, alpha 0.5
    and gamma 2; up to 10 random clicks a sign, and never one that answers a mask.
    """

    segmenter = segmenters.FBRSBase

    def default_loss(self) -> nn.Module:
        """Normalised focal loss, alpha 0.5 and gamma 2."""
        return NormalizedFocalLoss()

    def default_user(self) -> SimulatedUser:
        """Up to 10 random clicks a sign."""
        return TrainingClicks(max_points=10)

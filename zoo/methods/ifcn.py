"""iFCN (Xu et al. 2016): the first network for clicks."""

from __future__ import annotations

from torch import nn

from zoo import segmenters
from zoo.losses import BinaryCrossEntropy
from zoo.methods.base import InteractiveMethod
from zoo.users.base import SimulatedUser
from zoo.users.training_clicks import TrainingClicks


class IFCN(segmenters.IFCN, InteractiveMethod):
    """iFCN: image and truncated distance maps of the clicks (Deep Interactive Object Selection, section 3).

    The paper's maps are, like its images, in 0..255; both are in 0..1 here. Ours: negative clicks are sampled as RITM
    does instead of by the paper's three strategies, so that methods differ in nothing but themselves, and the mask is
    the thresholded probability, without the paper's graph cut.

    By default: `min(d, 255) / 255` of the distance d to the nearest click of each sign; binary cross-entropy; up to 10
    random clicks a sign, and never one that answers a mask.
    """

    segmenter = segmenters.IFCN

    def default_loss(self) -> nn.Module:
        """Binary cross-entropy."""
        return BinaryCrossEntropy()

    def default_user(self) -> SimulatedUser:
        """Up to 10 random clicks a sign."""
        return TrainingClicks(max_points=10)

"""BRS and f-BRS: clicked pixels get their label by changing inputs or features as little as possible."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from zoo.errors import ConfigError
from zoo.inference.view import View
from zoo.networks.staged import Features
from zoo.refiners.backpropagating import Aim, Backpropagating
from zoo.refiners.lbfgs import BatchedLBFGS
from zoo.refiners.marks import click_marks
from zoo.refiners.minimizer import Minimizer

EPS = 1e-5
PIXELS = (1, 2, 3)


def brs_loss(probability: Tensor, marks: Tensor) -> Tensor:
    """Squared error at marked pixels (B,): mean of (1 - p)^2 at positive ones plus mean of p^2 at negative ones.

    BRS (Jang and Kim 2019, Eq. 3) with means as in the code of f-BRS.

    Args:
        probability: (B, 1, h, w).
        marks: (B, 2, h, w), weights of positive and of negative pixels.
    """
    error = torch.cat([1 - probability, probability], 1)
    return ((error.square() * marks).sum((2, 3)) / (marks.sum((2, 3)) + EPS)).sum(1)


class BackpropagatingRefinement(Backpropagating):
    """The loss and the stopping rules of BRS (Jang and Kim 2019) and f-BRS (Sofiiuk et al. 2020).

    A search ends when every marked pixel is on its side of the method's threshold (0.49 in the release of f-BRS, 0.5
    by default here), or when the mask no longer moves.

    Args:
        clicks, optimizer: as `Backpropagating` has them.
        weight: of the regulariser.
        still: IoU of successive masks at which a search ends.
    """

    def __init__(self, clicks: int | None, optimizer: Minimizer | None, weight: float, still: float) -> None:
        super().__init__(clicks, optimizer or BatchedLBFGS())
        if not (0 < still <= 1 and weight >= 0):
            raise ConfigError(f"still={still} must lie in (0, 1], weight={weight} not below 0")
        self.weight, self.still = weight, still

    def aim(self, view: View, features: Features, parameters: Tensor) -> Aim:
        """The marks of clicks, and the errors (B, 2) below which positive and negative ones are right."""
        marks, threshold = click_marks(view), view.threshold
        return {"marks": marks, "limits": marks.new_tensor([1 - threshold, threshold]).expand(len(marks), 2)}

    @abstractmethod
    def size(self, parameters: Tensor) -> Tensor:
        """(B,): how much parameters change, what the regulariser weighs."""

    def loss(self, logits: Tensor, parameters: Tensor, aim: Aim) -> tuple[Tensor, Tensor]:
        """As `Backpropagating` has it."""
        marks, probability = aim["marks"], torch.sigmoid(logits)
        loss = brs_loss(probability, marks) + self.weight * self.size(parameters)
        error = (torch.cat([1 - probability, probability], 1).detach() * marks).amax((2, 3))
        return loss, (error < aim["limits"]).all(1)


class _Bias(BackpropagatingRefinement):
    """Adds a map to what the network is given, anew in every crop.

    Args:
        optimizer: searches the map; None: `BatchedLBFGS`.
        clicks: how many of a sample's clicks become guidance; None: all.
        weight: of the map's sum of squares.
        still: IoU of successive masks at which a search ends.
    """

    crop_bound = True

    def __init__(
        self,
        optimizer: Minimizer | None = None,
        clicks: int | None = 5,
        weight: float = 1e-3,
        still: float = 0.99,
    ) -> None:
        super().__init__(clicks, optimizer, weight, still)

    def first(self, channels: int, size: tuple[int, int]) -> Tensor:
        """Nothing is added: (C, H, W)."""
        return torch.zeros(channels, *size)

    def change(self, features: Features, parameters: Tensor, aim: Aim, view: View) -> Tensor:
        """As `Backpropagating` has it."""
        return features.value + view.share(parameters)

    def size(self, parameters: Tensor) -> Tensor:
        """Sum of squares."""
        return parameters.square().sum(PIXELS)


class DistMapBRS(_Bias):
    """DistMap-BRS (Sofiiuk et al. 2020): a bias on the guidance maps at the crop's resolution."""

    at = "guidance"


class RGBBRS(_Bias):
    """RGB-BRS (Sofiiuk et al. 2020): a bias on the image, whose values lie in 0..1."""

    at = "image"


class FBRS(BackpropagatingRefinement):
    """f-BRS (Sofiiuk et al. 2020): a scale 1 + s and a bias b for every channel at a point of the network.

    Its three depths are `FBRSA`, `FBRSB` and `FBRSC`; for another point of a network, a subclass sets `at`.
    The parameters begin where the last click left them. The regulariser is weight * (sum s^2 + 10 sum b^2).

    Args:
        optimizer: searches scales and biases; None: `BatchedLBFGS`.
        clicks: how many of a sample's clicks the network is given; None: all.
        weight: of the regulariser.
        bias_weight: of biases beside scales.
        still: IoU of successive masks at which a search ends.
    """

    at = "aspp"

    def __init__(
        self,
        optimizer: Minimizer | None = None,
        clicks: int | None = 8,
        weight: float = 1e-3,
        bias_weight: float = 10.0,
        still: float = 0.99,
    ) -> None:
        super().__init__(clicks, optimizer, weight, still)
        self.bias_weight = bias_weight

    def first(self, channels: int, size: tuple[int, int]) -> Tensor:
        """Scale and bias of every channel: (2, C)."""
        return torch.zeros(2, channels)

    def change(self, features: Features, parameters: Tensor, aim: Aim, view: View) -> Tensor:
        """As `Backpropagating` has it."""
        scale, bias = (view.share(part[..., None, None]) for part in parameters.unbind(1))
        return features.value * (1 + scale) + bias

    def size(self, parameters: Tensor) -> Tensor:
        """Sum of squares, biases weighed more."""
        scale, bias = parameters.square().sum(2).unbind(1)
        return scale + self.bias_weight * bias


class FBRSA(FBRS):
    """f-BRS-A: before the context module."""

    at = "backbone"


class FBRSB(FBRS):
    """f-BRS-B: after the context module."""

    at = "aspp"


class FBRSC(FBRS):
    """f-BRS-C: before the last convolution."""

    at = "decoder"

"""CGAM: attention to what was clicked."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d, relu

from zoo.encoders.disk import Disks
from zoo.inference.view import View
from zoo.networks.staged import Features
from zoo.refiners.adam import BatchedAdam
from zoo.refiners.backpropagating import Aim, Backpropagating
from zoo.refiners.marks import click_marks
from zoo.refiners.minimizer import Minimizer

EPS = 1e-5
SEED = 0


class CGAM(Backpropagating):
    """Click-guided attention module (Min and Jeong 2023): features are multiplied by a map made of them and the clicks.

    With s = W_s(click disks) and f = W_f(features), both to half the channels, the map is a * norm(W_m(relu(s + f))) +
    c, where norm is over the pixels of each channel, as in an instance normalisation. All W are 1x1 convolutions of
    each sample's own, equal at the start, where a = 0 and c = 1 leave the features as they are. They begin where the
    last click left them; Adam's moments begin at 0.

    The loss is the squared hinge max(1 - z, 0)^2 of logits z at positive clicks, max(1 + z, 0)^2 at negative ones, each
    a mean over the clicks' boxes, plus the mean of (z - z_prev)^2, 0 in the newest click's disk, where z_prev are the
    logits at the search's start (released code). A search ends when every hinge is below `margin`.

    Args:
        at: the point.
        optimizer: searches the parameters; None: 20 steps of Adam at 0.05.
        clicks: how many of a sample's clicks the network is given; None: all.
        radius: of the click disks, in crop pixels.
        margin: largest hinge at which a search ends.
        weight: of the mean of (z - z_prev)^2.
    """

    def __init__(
        self,
        at: str = "aspp",
        optimizer: Minimizer | None = None,
        clicks: int | None = None,
        radius: float = 5,
        margin: float = 0.8,
        weight: float = 1.0,
    ) -> None:
        super().__init__(clicks, optimizer or BatchedAdam())
        self.at = at
        self.radius, self.margin, self.weight = radius, margin, weight

    def first(self, channels: int, size: tuple[int, int]) -> Tensor:
        """All parameters in a row, (P,), the same in every session."""
        generator = torch.Generator().manual_seed(SEED)
        half = max(channels // 2, 1)
        parts = []
        for inputs, outputs in ((2, half), (channels, half), (half, channels)):
            weights = torch.rand(outputs * inputs, generator=generator) * 2 - 1
            parts.append(weights / math.sqrt(inputs))
        return torch.cat([*parts, torch.zeros(half), torch.zeros(channels), torch.ones(channels)])

    def aim(self, view: View, features: Features, parameters: Tensor) -> Aim:
        """Click disks, the marks of clicks, the logits before, and where they are to stay."""
        disks = Disks(self.radius)
        aim = {"disks": disks(view.interactions, view.image), "marks": click_marks(view)}
        aim["kept"] = 1 - disks(view.interactions.newest(), view.image).amax(1, keepdim=True)
        return aim | {"before": self.logits(features, parameters, aim, view)}

    def change(self, features: Features, parameters: Tensor, aim: Aim, view: View) -> Tensor:
        """As `Backpropagating` has it."""
        value = features.value
        count, channels, height, width = value.shape
        half = max(channels // 2, 1)
        every = view.share(parameters[..., None, None]).flatten(1)
        sizes = [half * 2, half * channels, channels * half, half, channels, channels]
        guide, feature, mix, shift, scale, offset = every.split(sizes, 1)
        disks = adaptive_max_pool2d(view.share(aim["disks"]), (height, width)).to(every.dtype)
        pixels = value.flatten(2).to(every.dtype)
        hidden = guide.view(count, half, 2) @ disks.flatten(2) + feature.view(count, half, channels) @ pixels
        mixed = mix.view(count, channels, half) @ relu(hidden + shift[..., None])
        mixed = mixed.to(every.dtype)
        spread, mean = torch.var_mean(mixed, 2, correction=0, keepdim=True)
        attention = scale[..., None] * (mixed - mean) / (spread + EPS).sqrt() + offset[..., None]
        changed: Tensor = pixels * attention
        return changed.view_as(value)

    def loss(self, logits: Tensor, parameters: Tensor, aim: Aim) -> tuple[Tensor, Tensor]:
        """As `Backpropagating` has it."""
        marks = aim["marks"]
        hinge = relu(1 - torch.cat([logits, -logits], 1))
        clicked = ((hinge.square() * marks).sum((2, 3)) / (marks.sum((2, 3)) + EPS)).sum(1)
        change = (logits - aim["before"]) * aim["kept"]
        loss = clicked + self.weight * change.square().mean((1, 2, 3))
        return loss, (hinge.detach() * marks).amax((1, 2, 3)) < self.margin

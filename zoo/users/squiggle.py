"""A squiggle along the target's middle."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from zoo.interactions import Interactions
from zoo.ops.distance import distance_transform
from zoo.ops.draws import Draw
from zoo.ops.skeleton import skeletonize
from zoo.users.base import SimulatedUser, Truth
from zoo.users.draws import draw


class Squiggle(SimulatedUser):
    """A positive stroke: the skeleton of the target, or of its inner part (NuClick, section III.A).

    The inner part are the pixels whose distance to the target's border is above tau ~ U[0, mean + deviation of the
    distances inside]; the deepest pixels always belong to it. The image's edge counts as border.

    Args:
        threshold: `random` for training; `none` takes the whole target, as in the paper's test.
    """

    gives = "scribble"

    def __init__(self, threshold: Literal["random", "none"] = "random") -> None:
        self.threshold = threshold

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """Strokes of a sample without a target are empty."""
        target = truth.target[:, 0] if truth.ignore is None else (truth.target & ~truth.ignore)[:, 0]
        part = target if self.threshold == "none" else self._inner(target, draw(truth, turn, Draw.THRESHOLD))
        stroke = skeletonize(part)
        strokes = torch.stack([stroke, torch.zeros_like(stroke)], 1)
        points = torch.zeros(len(truth), 0, 4, device=target.device)
        return Interactions.of(points, truth.size, strokes)

    @staticmethod
    def _inner(target: Tensor, u: Tensor) -> Tensor:
        distance = distance_transform(target, border=True).double().flatten(1)
        area = target.flatten(1).sum(1).clamp(min=1)
        mean = distance.sum(1) / area
        deviation = (distance.square().sum(1) / area - mean.square()).clamp(min=0).sqrt()
        tau = (u * (mean + deviation))[:, None]
        deepest = distance.amax(1, keepdim=True)
        inner: Tensor = ((distance > tau) | (distance == deepest)).view(target.shape) & target
        return inner

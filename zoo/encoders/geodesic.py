"""Distances along the image."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.encoders.base import InteractionEncoder
from zoo.encoders.distance import positive_pixels
from zoo.errors import ConfigError
from zoo.interactions import Interactions
from zoo.ops.geodesic import geodesic_distance


class GeodesicDistance(InteractionEncoder):
    """`1 - min(d, limit) / limit` for the distance d along the image to the nearest click or stroke of a sign.

    A path runs over neighbouring pixels (8 of them) and a step costs `sqrt(length^2 + (weight * difference)^2)`, where
    the length is 1 or sqrt(2) pixels and the difference the Euclidean one of colours in 0..1: it is far to whatever
    lies behind an edge (DeepIGeoS, Wang et al. 2018, whose steps cost the difference alone). Clicks
    and strokes begin at the centres of their pixels. What lies between a click outside the image and its edge is not
    known: a straight way to the nearest pixel of the image, without differences.

    Args:
        weight: pixels that a difference of 1 in one colour channel is worth; 0: the image does not matter.
        limit: in pixels. Shorter ones are faster.
    """

    out_channels = 2

    def __init__(self, weight: float = 20.0, limit: float = 255.0) -> None:
        super().__init__()
        if not weight >= 0:
            raise ConfigError(f"weight={weight} must be a number of pixels, 0 or more")
        self.weight, self.limit = float(weight), positive_pixels("limit", limit)

    def forward(self, interactions: Interactions, image: Tensor) -> Tensor:
        """(B, 2, H, W) float32 in 0..1: positive, negative; 1 at a click, 0 where there is nothing."""
        start = torch.stack([_start(interactions, label) for label in (1, 0)], 1)
        return 1 - geodesic_distance(start, image, self.weight, self.limit) / self.limit


def _start(interactions: Interactions, label: int) -> Tensor:
    """(B, H, W) float32: 0 where a click or stroke begins, more where one from outside enters, else inf."""
    batch, (height, width) = len(interactions), interactions.size
    xy = interactions.points[..., :2].floor()
    row, column = xy[..., 1].clamp(0, height - 1), xy[..., 0].clamp(0, width - 1)
    outside = torch.hypot(xy[..., 0] - column, xy[..., 1] - row)
    outside = outside.masked_fill(interactions.points[..., 2] != label, torch.inf)
    start = torch.full((batch, height * width), torch.inf, device=interactions.device)
    start = start.scatter_reduce(1, (row * width + column).long(), outside, "amin").view(batch, height, width)
    if interactions.strokes is not None:
        start = start.masked_fill(interactions.strokes[:, 1 - label], 0.0)
    return start

"""Binary disks."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.encoders.base import InteractionEncoder
from zoo.encoders.nearest import on_pixels, squared_to_clicks
from zoo.errors import ConfigError
from zoo.interactions import Interactions
from zoo.ops.distance import distance_to


class Disks(InteractionEncoder):
    """1 within `radius` pixels of the pixels under clicks and strokes, else 0; one channel a sign (RITM, section 3.1).

    Clicks outside the image are skipped. A stroke is a click on each of its pixels.

    Args:
        radius: in pixels, from pixel centre to pixel centre; a pixel at exactly this distance belongs to the disk.

    Raises:
        ConfigError: a negative radius.
    """

    out_channels = 2

    def __init__(self, radius: float = 5) -> None:
        super().__init__()
        if not radius >= 0:
            raise ConfigError(f"radius={radius} must be 0 or more pixels")
        self.radius = radius

    def forward(self, interactions: Interactions, image: Tensor) -> Tensor:
        """(B, 2, H, W) float32, 0 or 1: positive, negative."""
        height, width = interactions.size
        margin = int(self.radius)
        reach = torch.arange(-margin, margin + 1, device=interactions.device)
        down, right = (reach[:, None] ** 2 + reach**2 <= self.radius**2).nonzero(as_tuple=True)
        x, y, label = (interactions.points[..., i].floor().long() for i in range(3))
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (label >= 0)
        sample, column = inside.nonzero(as_tuple=True)
        x, y, label = (v[sample, column][:, None] for v in (x, y, label))
        # With a margin around the map no part of a disk needs clipping.
        out = torch.zeros(len(interactions), 2, height + 2 * margin, width + 2 * margin, device=interactions.device)
        out[sample[:, None], 1 - label, y + down, x + right] = 1.0
        out = out[..., margin : margin + height, margin : margin + width].contiguous()
        if interactions.strokes is not None:
            for channel, stroke in enumerate(interactions.strokes.unbind(1)):
                out[:, channel][distance_to(stroke) <= self.radius] = 1.0
        return out

    def in_graph(self, said: Tensor, image: Tensor) -> Tensor:
        """The same of clicks."""
        return (squared_to_clicks(on_pixels(said, image), image) <= self.radius**2).float()

"""Single pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.encoders.base import InteractionEncoder
from zoo.encoders.nearest import on_pixels, squared_to_clicks
from zoo.interactions import Interactions


class Pixels(InteractionEncoder):
    """1 at the pixel under each click, else 0; one channel a sign. Clicks outside the image are skipped.

    Args:
        strokes: whether the pixels of strokes are 1, too.
    """

    out_channels = 2

    def __init__(self, strokes: bool = False) -> None:
        super().__init__()
        self.strokes = strokes

    def forward(self, interactions: Interactions, image: Tensor) -> Tensor:
        """(B, 2, H, W) float32, 0 or 1: positive, negative."""
        maps = torch.empty(len(interactions), 2, *interactions.size, device=interactions.device)
        for label in (1, 0):
            maps[:, 1 - label] = interactions.pixels(label, self.strokes)
        return maps

    def in_graph(self, said: Tensor, image: Tensor) -> Tensor:
        """The same of clicks."""
        return (squared_to_clicks(on_pixels(said, image), image) == 0).float()

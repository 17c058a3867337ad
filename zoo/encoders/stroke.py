"""Strokes as they were drawn."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.encoders.base import InteractionEncoder
from zoo.interactions import Interactions


class StrokeRaster(InteractionEncoder):
    """1 on the pixels of strokes, else 0; one channel a sign. Clicks are not shown."""

    out_channels = 2
    graph_input = "strokes"

    def forward(self, interactions: Interactions, image: Tensor) -> Tensor:
        """(B, 2, H, W) float32, 0 or 1: positive, negative."""
        if interactions.strokes is None:
            return torch.zeros(len(interactions), 2, *interactions.size, device=interactions.device)
        return interactions.strokes.float()

    def in_graph(self, said: Tensor, image: Tensor) -> Tensor:
        """The rasters themselves."""
        return said

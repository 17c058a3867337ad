"""Boxes as filled rectangles."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.encoders.base import InteractionEncoder
from zoo.interactions import Interactions


class Boxes(InteractionEncoder):
    """1 at pixels whose centre lies in a box or on its edge, else 0.

    Clicks and strokes are for another encoder: see `Concat`.
    """

    out_channels = 1
    boxes = True

    def forward(self, interactions: Interactions, image: Tensor) -> Tensor:
        """(B, 1, H, W) float32, 0 or 1."""
        height, width = interactions.size
        x0, y0, x1, y1, turn = interactions.boxes.unbind(-1)
        column = torch.arange(width, device=x0.device) + 0.5
        row = torch.arange(height, device=x0.device) + 0.5
        # Both edges belong to a box: its mirror image has to hold the mirrored pixels.
        across = (column >= x0[..., None]) & (column <= x1[..., None])
        down = (row >= y0[..., None]) & (row <= y1[..., None]) & (turn >= 0)[..., None]
        # Several boxes of a sample: their union.
        return torch.einsum("bmh,bmw->bhw", down.float(), across.float()).clamp(max=1)[:, None]

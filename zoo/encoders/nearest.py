"""Distances to clicks as a graph for other programs computes them: nothing depends on what the tensors hold."""

from __future__ import annotations

import torch
from torch import Tensor


def squared_to_clicks(clicks: Tensor, image: Tensor) -> Tensor:
    """(B, 2, H, W) float32 squared distance from pixel centres to the nearest positive and negative click, else inf.

    Args:
        clicks: (B, N, 3) x, y, label; N > 0.
        image: (B, 3, H, W), for its size.
    """
    height, width = image.shape[-2:]
    x, y, label = clicks.unbind(-1)
    across = (torch.arange(width, device=clicks.device) + 0.5 - x[..., None]).square()
    down = (torch.arange(height, device=clicks.device) + 0.5 - y[..., None]).square()
    maps = []
    for sign in (1, 0):
        # Added to the short side, so that what is no click of this sign costs no further map.
        far = torch.where(label == sign, 0.0, torch.inf)[..., None]
        maps.append(((down + far)[..., :, None] + across[..., None, :]).amin(1))
    return torch.stack(maps, 1)


def on_pixels(clicks: Tensor, image: Tensor) -> Tensor:
    """Clicks (B, N, 3) at the centres of the pixels that they lie in; those outside the image become padding."""
    height, width = image.shape[-2:]
    x, y, label = clicks.unbind(-1)
    x, y = x.floor(), y.floor()
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return torch.stack([x + 0.5, y + 0.5, torch.where(inside, label, -1.0)], -1)

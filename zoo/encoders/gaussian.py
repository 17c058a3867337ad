"""Gaussians around interactions."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.encoders.distance import DistanceEncoder, positive_pixels


class Gaussians(DistanceEncoder):
    """`exp(-d^2 / (2 sigma^2))`, the greatest over all interactions of a sign, strokes too; 0 where there is nothing.

    Args:
        sigma: in pixels. The default has a full width of 10 px at half maximum, as in DEXTR (Maninis et al. 2018).
    """

    def __init__(self, sigma: float = 4.2466) -> None:
        super().__init__()
        self.sigma = positive_pixels("sigma", sigma)

    def value(self, distance: Tensor) -> Tensor:
        """In 0..1; 1 at a click."""
        # Beyond, values are below 1e-31; the smallest floats would make exp five times slower.
        far = 12 * self.sigma
        near = torch.exp(distance.clamp(max=far).square() * (-0.5 / self.sigma**2))
        return near.masked_fill_(distance >= far, 0.0)

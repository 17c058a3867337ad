"""NuClick's two maps."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.encoders.pixel import Pixels
from zoo.interactions import Interactions


class InclusionExclusion(Pixels):
    """NuClick's inclusion (positive) and exclusion (negative) maps: single pixels and 1-px strokes.

    Source: Koohbanani et al., Medical Image Analysis 2020, section III.A. It is `Pixels` with strokes.

    Args:
        exclusion: False leaves the exclusion map empty (Table X); the number of channels stays.
    """

    def __init__(self, exclusion: bool = True) -> None:
        super().__init__(strokes=True)
        self.exclusion = exclusion

    def forward(self, interactions: Interactions, image: Tensor) -> Tensor:
        """(B, 2, H, W) float32, 0 or 1: inclusion, exclusion."""
        maps = super().forward(interactions, image)
        if not self.exclusion:
            maps[:, 1] = 0
        return maps

    def in_graph(self, said: Tensor, image: Tensor) -> Tensor:
        """The same of clicks."""
        maps = super().in_graph(said, image)
        return maps if self.exclusion else torch.cat([maps[:, :1], torch.zeros_like(maps[:, 1:])], 1)

"""No guidance."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.encoders.base import InteractionEncoder
from zoo.interactions import Interactions


class NoGuidance(InteractionEncoder):
    """No channel at all: what a method is worth that does not see the interactions."""

    out_channels = 0

    def forward(self, interactions: Interactions, image: Tensor) -> Tensor:
        """(B, 0, H, W) float32."""
        return torch.zeros(len(interactions), 0, *interactions.size, device=interactions.device)

    def in_graph(self, said: Tensor, image: Tensor) -> Tensor:
        """(B, 0, H, W) float32."""
        return image[:, :0]

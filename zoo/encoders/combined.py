"""Several encoders side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zoo.encoders.base import InteractionEncoder
from zoo.errors import ConfigError
from zoo.interactions import Interactions


class Concat(InteractionEncoder):
    """The channels of each encoder, in the given order.

    Args:
        encoders: at least one.
    """

    def __init__(self, encoders: Sequence[InteractionEncoder]) -> None:
        super().__init__()
        if not encoders:
            raise ConfigError("Concat was given no encoders; name at least one")
        self.encoders = nn.ModuleList(encoders)
        self.out_channels = sum(encoder.out_channels for encoder in encoders)
        self.boxes = any(encoder.boxes for encoder in encoders)

    def forward(self, interactions: Interactions, image: Tensor) -> Tensor:
        """(B, out_channels, H, W) float32."""
        return torch.cat([encoder(interactions, image) for encoder in self.encoders], 1)

"""Several encoders side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
        readers = {encoder.graph_input for encoder in encoders}
        self.graph_input = "strokes" if readers == {"strokes"} else "clicks"
        self.boxes = any(encoder.boxes for encoder in encoders)

    def forward(self, interactions: Interactions, image: Tensor) -> Tensor:
        """(B, out_channels, H, W) float32."""
        return torch.cat([encoder(interactions, image) for encoder in self.encoders], 1)

    def in_graph(self, said: Tensor, image: Tensor) -> Tensor:
        """The same, of encoders that read the same.

        Raises:
            ConfigError: one reads clicks and another strokes, or one can't be part of a graph.
        """
        if any(encoder.graph_input != self.graph_input for encoder in self._each()):
            raise ConfigError("Concat can't be part of a graph where one encoder reads clicks and another strokes")
        return torch.cat([encoder.in_graph(said, image) for encoder in self._each()], 1)

    def _each(self) -> Iterator[InteractionEncoder]:
        return (encoder for encoder in self.encoders if isinstance(encoder, InteractionEncoder))

"""What every interaction encoder is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

from torch import Tensor, nn

from zoo.errors import ConfigError
from zoo.interactions import Interactions


class InteractionEncoder(nn.Module, ABC):
    """Turns interactions into guidance maps.

    A subclass sets `out_channels` and implements `forward`. It may have parameters. Interactions may lie outside the
    image (a crop sees its neighbours' clicks): pixel and disk encoders skip them, distance encoders use them.

    Attributes:
        out_channels: number of guidance channels; positive ones come first.
        boxes: whether it reads boxes. For those that don't, a box is a click at its centre.
        graph_input: what `in_graph` reads.
    """

    out_channels: int
    boxes: bool = False
    graph_input: Literal["clicks", "strokes"] = "clicks"

    @abstractmethod
    def forward(self, interactions: Interactions, image: Tensor) -> Tensor:
        """Guidance (B, out_channels, H, W) float32 for `image` (B, 3, H, W), which has the interactions' size."""

    def in_graph(self, said: Tensor, image: Tensor) -> Tensor:
        """The guidance of `forward`, computed as a graph for other programs can: tensors of any size, no branches.

        Args:
            said: (B, N, 3) float32 x, y, label of clicks, N > 0: 1 positive, 0 negative, -1 padding; where
                `graph_input` is `strokes`, their rasters (B, 2, H, W) float32, 0 or 1: positive, negative.
            image: (B, 3, H, W).

        Raises:
            ConfigError: the encoder can't be computed so, which is the default.
        """
        raise ConfigError(
            f"{type(self).__name__} can't be part of a graph, since it has no `in_graph`: publish the checkpoint for "
            "isegzoo, or one that was trained with another interaction encoder"
        )

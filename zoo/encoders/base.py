"""What every interaction encoder is."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from zoo.interactions import Interactions


class InteractionEncoder(nn.Module, ABC):
    """Turns interactions into guidance maps.

    A subclass sets `out_channels` and implements `forward`. It may have parameters. Interactions may lie outside the
    image (a crop sees its neighbours' clicks): pixel and disk encoders skip them, distance encoders use them.

    Attributes:
        out_channels: number of guidance channels; positive ones come first.
        boxes: whether it reads boxes. For those that don't, a box is a click at its centre.
    """

    out_channels: int
    boxes: bool = False

    @abstractmethod
    def forward(self, interactions: Interactions, image: Tensor) -> Tensor:
        """Guidance (B, out_channels, H, W) float32 for `image` (B, 3, H, W), which has the interactions' size."""

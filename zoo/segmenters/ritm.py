"""RITM (Sofiiuk et al. 2021): clicks and the mask before them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from zoo.encoders.base import InteractionEncoder
from zoo.encoders.disk import Disks
from zoo.errors import ConfigError
from zoo.interactions import Interactions
from zoo.ops.components import reconstruct
from zoo.ops.device import layout
from zoo.segmenters.interactive import InteractiveSegmenter


class RITM(InteractiveSegmenter):
    """Image, click disks and previous mask, to a better mask; see `zoo.methods.RITM`, and `InteractiveSegmenter`.

    Args:
        network: maps 3 channels, the guidance and the previous mask to logits.
        connected: whether in what the network sees only that is kept above the threshold which is connected with a
            positive click or stroke, or with the mask before. Where no positive pixel is seen, or none of them is
            above it, everything stays.
        common: see `InteractiveSegmenter`.

    Raises:
        ConfigError: `connected` beside a refiner.
    """

    def __init__(self, network: nn.Module, *, connected: bool = False, **common: Any) -> None:
        super().__init__(network, **common)
        if connected and self.refiner is not None:
            raise ConfigError(
                f"connected and {type(self.refiner).__name__} do not go together: what a refiner finds "
                "may be in pieces; leave one of them out"
            )
        self.connected = connected

    def default_encoder(self) -> InteractionEncoder:
        """Disks of radius 5."""
        return Disks(radius=5)

    def join(self, image: Tensor, guidance: Tensor, previous: Tensor) -> Tensor:
        """Image, guidance and previous mask."""
        parts = [image, guidance.to(image.dtype), previous.to(image.dtype)]
        return torch.cat(parts, 1).contiguous(memory_format=layout(image.device))

    def predict(
        self, image: Tensor, interactions: Interactions, previous: Tensor, looked: tuple[Tensor, ...] = ()
    ) -> Tensor:
        """Probability (B, 1, H, W) float32; what is `connected` with nothing falls to at most the threshold."""
        probability = super().predict(image, interactions, previous, looked)
        if not self.connected:
            return probability
        found = probability[:, 0] > self.threshold
        touched = interactions.pixels(1) & found
        kept = reconstruct(touched | ((previous[:, 0] > self.threshold) & found), found)
        loose = found & ~kept & touched.flatten(1).any(1)[:, None, None]
        return torch.where(loose[:, None], probability * self.threshold, probability)

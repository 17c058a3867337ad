"""What networks with a fused backbone share."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import interpolate

from zoo.networks.fusion import FUSIONS, Fusion
from zoo.networks.staged import Features, SteppedNetwork


class FusedNetwork(SteppedNetwork):
    """A backbone that sees more than RGB, some steps, and a head whose logits are enlarged to the image's size.

    Args:
        fusion: where the further channels enter.
        backbone: a model of timm that offers its features.
        in_channels: RGB and further channels.
        stem_scale: with `stem`, of what is added to the features, at the start.
        options: of `FusedBackbone`.

    Attributes:
        head: the last layer.
    """

    head: nn.Module

    def __init__(
        self, fusion: Fusion, backbone: str, in_channels: int, stem_scale: float = 0.05, **options: Any
    ) -> None:
        super().__init__()
        if fusion == "stem":
            options["scale"] = stem_scale
        self.backbone = FUSIONS[fusion](backbone, in_channels, **options)

    def finish(self, features: Features) -> Tensor:
        """The head's logits, at input size."""
        return interpolate(self.head(features.value), size=features.size, mode="bilinear", align_corners=False)

    def load_imagenet(self) -> None:
        """Give the backbone ImageNet weights.

        Raises:
            ConfigError: they can't be had.
        """
        self.backbone.load_imagenet()

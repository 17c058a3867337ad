"""FCN-8s over any backbone of timm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from zoo.networks.fused import FusedNetwork
from zoo.networks.fusion import Fusion
from zoo.networks.staged import Features


class FCN8s(FusedNetwork):
    """FCN-8s (Long et al. 2015), the network of iFCN (Xu et al. 2016), with a timm backbone in VGG-16's place.

    (B, in_channels, H, W), RGB in 0..1 first, to logits (B, 1, H, W). Scores come from the features at 1/32 (after two
    convolutions in the place of fc6 and fc7), 1/16 and 1/8; all upsampling is bilinear and fixed. A score is a 1x1
    convolution, which commutes with upsampling, so here the features are upsampled and concatenated and scored
    together. Points: `backbone` (1/32) and `decoder` (before the scores, 1/8).

    Args:
        in_channels: RGB and further channels: guidance.
        backbone: a model of timm that offers its features; `vgg16` is the paper's.
        fusion: where the further channels enter: `first_layer` (iFCN), `maps` (f-BRS) or `stem` (RITM).
        decoder_channels: of the convolutions in the place of fc6 and fc7, which have 4096.

    Raises:
        ConfigError: timm can't build the backbone, or it has no stem to add to.
    """

    def __init__(
        self,
        in_channels: int = 5,
        backbone: str = "tf_efficientnet_lite0",
        fusion: Fusion = "first_layer",
        decoder_channels: int = 256,
    ) -> None:
        super().__init__(fusion, backbone, in_channels)
        eighth, sixteenth, deepest = self.backbone.channels[3:6]
        self.deep = nn.Sequential(
            nn.Conv2d(deepest, decoder_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(decoder_channels),
            nn.ReLU(inplace=True),
            nn.Dropout2d(0.5),
            nn.Conv2d(decoder_channels, decoder_channels, 1, bias=False),
            nn.BatchNorm2d(decoder_channels),
            nn.ReLU(inplace=True),
            nn.Dropout2d(0.5),
        )
        self.head = nn.Conv2d(decoder_channels + sixteenth + eighth, 1, 1)
        self.channels = {"backbone": deepest, "decoder": self.head.in_channels}

    def begin(self, x: Tensor) -> Features:
        """The deepest features; those at 1/8 and 1/16 are the rest."""
        features = self.backbone(x)
        return Features(features[5], (features[3], features[4]), (x.shape[-2], x.shape[-1]))

    def steps(self) -> Sequence[Callable[[Features], Features]]:
        """The decoder."""
        return [self._decode]

    def _decode(self, features: Features) -> Features:
        out = self.deep(features.value)
        for skip in reversed(features.rest):
            out = interpolate(out, size=skip.shape[-2:], mode="bilinear", align_corners=False)
            out = torch.cat([out, skip], 1)
        return replace(features, value=out, rest=())

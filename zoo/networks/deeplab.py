"""DeepLabV3+ over any backbone of timm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import torch
from segmentation_models_pytorch.base.initialization import initialize_decoder, initialize_head
from segmentation_models_pytorch.decoders.deeplabv3.decoder import DeepLabV3PlusDecoder
from torch import Tensor, nn
from torch.nn.functional import interpolate

from zoo.networks.fused import FusedNetwork
from zoo.networks.fusion import Fusion
from zoo.networks.staged import Features


class DeepLabV3Plus(FusedNetwork):
    """DeepLabV3+ (Chen et al. 2018) with a timm backbone; the decoder is segmentation-models-pytorch's.

    (B, in_channels, H, W), RGB in 0..1 first, to logits (B, 1, H, W). Training needs two samples a batch or more,
    since a normalisation follows the pooling of whole images. Points: `backbone` (deepest features, before the
    atrous pyramid), `aspp` (the pyramid's output, concatenated with the low-level features, 1/4) and `decoder`
    (before the last convolution, 1/4).

    Args:
        in_channels: RGB and further channels: guidance, previous probability.
        backbone: a model of timm that offers its features.
        fusion: where the further channels enter: `maps` (f-BRS), `stem` (RITM) or `first_layer`.
        decoder_channels: of the pyramid and the decoder.
        output_stride: of the deepest features; the pyramid's rates are 6, 12 and 18 at 16 and grow as it falls.
        stem_scale: with `stem`, of what is added to the features, at the start.

    Raises:
        ConfigError: timm can't build the backbone with this stride, or it has no stem to add to.
    """

    def __init__(
        self,
        in_channels: int = 5,
        backbone: str = "tf_efficientnet_lite0",
        fusion: Fusion = "maps",
        decoder_channels: int = 128,
        output_stride: Literal[8, 16, 32] = 16,
        stem_scale: float = 0.05,
    ) -> None:
        super().__init__(fusion, backbone, in_channels, stem_scale, output_stride=output_stride)
        self.decoder = DeepLabV3PlusDecoder(
            encoder_channels=self.backbone.channels,
            encoder_depth=5,
            out_channels=decoder_channels,
            atrous_rates=[rate // output_stride for rate in (96, 192, 288)],
            output_stride=16,  # only tells `up`, which is not used, how far to go
            aspp_separable=True,
            aspp_dropout=0.5,
        )
        self.head = nn.Conv2d(decoder_channels, 1, 1)
        initialize_decoder(self.decoder)
        initialize_head(self.head)
        low_level = self.decoder.block1[0].out_channels
        self.channels = {
            "backbone": self.backbone.channels[-1],
            "aspp": decoder_channels + low_level,
            "decoder": decoder_channels,
        }

    def begin(self, x: Tensor) -> Features:
        """The deepest features; those at 1/4 are the rest."""
        features = self.backbone(x)
        return Features(features[-1], (features[2],), (x.shape[-2], x.shape[-1]))

    def steps(self) -> Sequence[Callable[[Features], Features]]:
        """The pyramid, and the decoder."""
        return [self._pyramid, self._decode]

    def _pyramid(self, features: Features) -> Features:
        low_level = self.decoder.block1(features.rest[0])
        pyramid = self.decoder.aspp(features.value)
        pyramid = interpolate(pyramid, size=low_level.shape[-2:], mode="bilinear", align_corners=False)
        return replace(features, value=torch.cat([pyramid, low_level], 1), rest=())

    def _decode(self, features: Features) -> Features:
        return replace(features, value=self.decoder.block2(features.value))

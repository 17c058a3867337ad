"""HRNet with object-contextual representations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, scaled_dot_product_attention

from zoo.networks.fused import FusedNetwork
from zoo.networks.fusion import Fusion
from zoo.networks.staged import Features


def _conv_norm_relu(in_channels: int, out_channels: int, kernel: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class ObjectContext(nn.Module):
    """What each pixel takes from the object and from its surroundings (Yuan et al. 2020, Eq. 2 to 4 and 6).

    A map of logits says softly where the object is; its negative says where the surroundings are. Each of the two
    regions is represented by the mean of the pixels' features under the softmax of its map over all pixels, and
    each pixel takes from both by the similarity of its features to theirs. (With the object as the only region, as
    in a network of one class, every pixel would take the same.)
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        keys = channels // 2
        self.query = nn.Sequential(_conv_norm_relu(channels, keys), _conv_norm_relu(keys, keys))
        self.key = nn.Sequential(_conv_norm_relu(channels, keys), _conv_norm_relu(keys, keys))
        self.content = _conv_norm_relu(channels, keys)
        self.out = _conv_norm_relu(keys, channels)

    def forward(self, pixels: Tensor, logits: Tensor) -> Tensor:
        """Context (B, C, h, w) of pixels (B, C, h, w), given where the object is: logits (B, 1, h, w)."""
        weights = torch.cat([logits, -logits], 1).flatten(2).softmax(-1)
        # Not `.mT`, for which OpenVINO knows no operation.
        regions = (weights @ pixels.flatten(2).transpose(1, 2)).transpose(1, 2)[..., None]  # (B, C, 2, 1)
        query, key, content = (
            part.flatten(2).transpose(1, 2) for part in (self.query(pixels), self.key(regions), self.content(regions))
        )
        taken = scaled_dot_product_attention(query, key, content)
        out: Tensor = self.out(taken.transpose(1, 2).unflatten(2, pixels.shape[-2:]))
        return out


class HRNetOCR(FusedNetwork):
    """HRNet (Wang et al. 2020) with object-contextual representations (Yuan et al. 2020).

    (B, in_channels, H, W), RGB in 0..1 first, H and W divisible by 32, to logits (B, 1, H, W). The region map has no
    loss of its own. Points, all at 1/4 of the size: `backbone` (the four resolutions, concatenated), `aspp` (each
    pixel's object context, concatenated with its features) and `decoder` (before the last convolution).

    Args:
        in_channels: RGB and further channels: guidance, previous probability.
        backbone: an HRNet of timm; `hrnet_w18_small_v2` is the small one of the papers.
        fusion: where the further channels enter: `maps` (f-BRS), `stem` (RITM) or `first_layer`.
        decoder_channels: of the object context and the last features, an even number; 96 goes with a small HRNet-18,
            128 with HRNet-18, 256 with HRNet-32.
        stem_scale: with `stem`, of what is added to the features, at the start.

    Raises:
        ConfigError: the backbone is no HRNet.
    """

    def __init__(
        self,
        in_channels: int = 5,
        backbone: str = "hrnet_w18_small_v2",
        fusion: Fusion = "maps",
        decoder_channels: int = 96,
        stem_scale: float = 0.05,
    ) -> None:
        # Without the layers that widen the features for classification.
        super().__init__(fusion, backbone, in_channels, stem_scale, feature_location="")
        joined = sum(self.backbone.channels[2:])
        self.region = nn.Sequential(_conv_norm_relu(joined, joined), nn.Conv2d(joined, 1, 1))
        self.pixels = _conv_norm_relu(joined, decoder_channels, 3)
        self.context = ObjectContext(decoder_channels)
        self.project = nn.Sequential(_conv_norm_relu(2 * decoder_channels, decoder_channels), nn.Dropout2d(0.05))
        self.head = nn.Conv2d(decoder_channels, 1, 1)
        self.channels = {"backbone": joined, "aspp": 2 * decoder_channels, "decoder": decoder_channels}

    def begin(self, x: Tensor) -> Features:
        """The four resolutions, concatenated at 1/4."""
        first, *others = self.backbone(x)[2:]
        sized = [interpolate(each, size=first.shape[-2:], mode="bilinear", align_corners=False) for each in others]
        return Features(torch.cat([first, *sized], 1), (), (x.shape[-2], x.shape[-1]))

    def steps(self) -> Sequence[Callable[[Features], Features]]:
        """The object context, and its projection."""
        return [self._contextualise, self._project]

    def _contextualise(self, features: Features) -> Features:
        pixels = self.pixels(features.value)
        context = self.context(pixels, self.region(features.value))
        return replace(features, value=torch.cat([context, pixels], 1))

    def _project(self, features: Features) -> Features:
        return replace(features, value=self.project(features.value))

"""A U-Net whose backbone sees the image once: what users say enters behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from segmentation_models_pytorch.encoders import get_encoder
from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_unshuffle, relu
from torchvision.ops import Conv2dNormActivation

from zoo.networks.imagenet import Normalise, load_backbone
from zoo.networks.staged import Features, LateNetwork


class LateUnet(LateNetwork):
    """A U-Net of the image, and behind it a small one of its features and of what was said.

    (B, in_channels, H, W), RGB in 0..1 first, to logits (B, 1, H, W); H and W divisible by 32. Points: `image` (1/4 of
    the size, before anything said enters) and `decoder` (before the last convolution, 1/2 of the size). The second part
    reaches down to 1/32, so that a click is heard across the whole crop.

    Args:
        in_channels: RGB and further channels, such as guidance.
        backbone: a model of timm that offers its features at 1/2 to 1/32.
        widths: of the features at 1/2, 1/4, 1/8, 1/16 and 1/32, in both parts.
    """

    def __init__(
        self,
        in_channels: int = 6,
        backbone: str = "tf_efficientnet_lite0",
        widths: Sequence[int] = (16, 48, 64, 96, 128),
    ) -> None:
        super().__init__(in_channels)
        self.backbone = backbone
        self.normalise = Normalise(backbone, 3)
        self.encoder = get_encoder(f"tu-{backbone}", in_channels=3, weights=None)
        self.channels = {"image": widths[1], "decoder": widths[0]}
        skips = list(self.encoder.out_channels)[1:]
        further = in_channels - 3
        self.deepest = _conv(skips[4], widths[4], kernel=1)
        self.ups = nn.ModuleList(_conv(widths[k + 1] + skips[k], widths[k]) for k in range(4))
        # The second part, from 1/4 down to 1/32 and up again to 1/2.
        self.fuse = _conv(widths[1] + 16 * further, widths[1], kernel=1)
        self.downs = nn.ModuleList(_conv(widths[k], widths[k + 1], stride=2) for k in range(1, 4))
        self.deep = nn.Sequential(*[_conv(widths[4], widths[4]) for _ in range(4)])
        self.narrow = nn.ModuleList(nn.Conv2d(widths[k + 1], widths[k], 1) for k in range(4))
        self.back = nn.ModuleList(_conv(widths[k], widths[k]) for k in range(4))
        self.fine = nn.Conv2d(4 * further, widths[0], 1)
        self.head = nn.Conv2d(widths[0], 1, 3, padding=1)

    def look(self, image: Tensor) -> tuple[Tensor, ...]:
        """Features at 1/4, 1/2, 1/8, 1/16 and 1/32."""
        _, *skips = self.encoder(self.normalise(image))
        x = self.deepest(skips[4])
        levels = [x]
        for k in (3, 2, 1, 0):
            x = self.ups[k](torch.cat([_twice(x), skips[k]], 1))
            levels.append(x)
        deepest, sixteenth, eighth, quarter, half = levels
        return quarter, half, eighth, sixteenth, deepest

    def steps(self) -> Sequence[Callable[[Features], Features]]:
        """The second part."""
        return [self._answer]

    def _answer(self, features: Features) -> Features:
        half, *deeper, further = features.rest
        x = self.fuse(torch.cat([features.value, pixel_unshuffle(further, 4).to(features.value.dtype)], 1))
        down = [x]
        for layer, level in zip(self.downs, deeper, strict=True):
            x = layer(x) + level
            down.append(x)
        x = x + self.deep(x)
        for k in (3, 2, 1):
            x = self.back[k](relu(down[k - 1] + self.narrow[k](_twice(x))))
        said = self.fine(pixel_unshuffle(further, 2).to(x.dtype))
        x = self.back[0](relu(half + said + _twice(self.narrow[0](x))))
        return replace(features, value=x, rest=())

    def finish(self, features: Features) -> Tensor:
        """The last convolution's logits, at input size."""
        return interpolate(self.head(features.value), size=features.size, mode="bilinear", align_corners=False)

    def load_imagenet(self) -> None:
        """Give the backbone ImageNet weights.

        Raises:
            ConfigError: they can't be had.
        """
        load_backbone(self.encoder.model, self.backbone)


def _conv(in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1) -> nn.Module:
    """Convolution, normalisation and ReLU."""
    layers: nn.Module = Conv2dNormActivation(in_channels, out_channels, kernel, stride)
    return layers


def _twice(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2, mode="nearest")

"""SegNet: a decoder that puts features back where pooling took them from (Badrinarayanan et al. 2017)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from zoo.errors import ConfigError

LEVELS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and convolutions of each level, those of VGG-16."""
DEEPEST = 2 ** len(LEVELS)


class SegNet(nn.Module):
    """(B, in_channels, H, W) in 0..1 to logits (B, 1, H, W); H and W are divisible by 32.

    VGG-16's thirteen convolutions, each with batch normalisation, and as many back: each level of the decoder begins
    with the features at the places that were the largest of their 2x2 pixels, and zeros elsewhere. Nothing else is
    passed on.

    Source: Badrinarayanan et al., SegNet, IEEE TPAMI 2017, section 3. It is one of the networks that NuClick compares
    with (Table I).

    Args:
        in_channels: 5 for RGB + inclusion + exclusion.
        width: multiplies every channel count; 1/4 is compact.

    Raises:
        ConfigError: a width that leaves no whole channels, or a size that is not divisible by 32.
    """

    def __init__(self, in_channels: int = 5, width: float = 1.0) -> None:
        super().__init__()
        if width <= 0 or not (LEVELS[0][0] * width).is_integer():
            raise ConfigError(
                f"SegNet: width {width} leaves broken channel counts; choose a multiple of 1/64, as 0.25."
            )
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        before, after = in_channels, int(LEVELS[0][0] * width)
        for level, (channels, layers) in enumerate(LEVELS):
            wide = int(channels * width)
            self.down.append(_level(layers, before, wide, wide))
            self.up.insert(0, _level(layers - (level == 0), wide, wide, after))
            before = after = wide
        self.pool, self.unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)
        self.last = nn.Conv2d(int(LEVELS[0][0] * width), 1, 3, padding=1)
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu")  # as published; torch's fades in 26 layers

    def forward(self, x: Tensor) -> Tensor:
        """Images with guidance to logits."""
        if x.shape[-2] % DEEPEST or x.shape[-1] % DEEPEST:
            raise ConfigError(f"SegNet: {x.shape[-2]}x{x.shape[-1]} pixels; height and width must be divisible by 32.")
        places = []
        for level in self.down:
            x, place = self.pool(level(x))
            places.append(place)
        for level, place in zip(self.up, reversed(places), strict=True):
            x = level(self.unpool(x, place))
        logits: Tensor = self.last(x)
        return logits


def _level(layers: int, before: int, between: int, after: int) -> nn.Sequential:
    """Convolutions of 3x3 with normalisation; the last one changes to the next level's channels."""
    channels = [before, *[between] * (layers - 1), after]
    return nn.Sequential(
        *(
            nn.Sequential(nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True))
            for i, o in pairwise(channels)
        )
    )

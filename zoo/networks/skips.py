"""Parts of networks with skip connections: encoders with one branch or two, and their decoder."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextvars import ContextVar
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from zoo.errors import ConfigError
from zoo.networks.fusion import StemFusion, stem_of


def convolutions(count: int, in_channels: int, out_channels: int) -> nn.Sequential:
    """`count` times convolution 3x3, normalisation, ReLU."""
    sizes = [in_channels, *[out_channels] * count]
    layers = [
        nn.Sequential(nn.Conv2d(one, other, 3, padding=1), nn.BatchNorm2d(other), nn.ReLU())
        for one, other in pairwise(sizes)
    ]
    return nn.Sequential(*layers)


class SkipEncoder(nn.Module):
    """Features of an image, each half as large as those before.

    Attributes:
        in_channels: of the input.
        channels: of the features, shallowest first.
        stride: of the shallowest.
        multiple: heights and widths that it takes are multiples of it.
    """

    in_channels: int
    channels: Sequence[int]
    stride: int
    multiple: int

    @abstractmethod
    def forward(self, x: Tensor) -> list[Tensor]:
        """The features, shallowest first; the last ones are no skips."""


class PlainEncoder(SkipEncoder):
    """U-Net's: convolutions, then pooling and two convolutions a level; at full size first.

    Args:
        in_channels: of the image.
        widths: channels of the levels.
        first: convolutions of the first level.
    """

    def __init__(self, in_channels: int, widths: Sequence[int], first: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.image = convolutions(first, in_channels, widths[0])
        self.down = nn.ModuleList(nn.Sequential(nn.MaxPool2d(2), convolutions(2, a, b)) for a, b in pairwise(widths))
        self.channels, self.stride, self.multiple = list(widths), 1, 2 ** (len(widths) - 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        """All levels."""
        first = self.image(x)
        return [first, *self.deeper(first)]

    def deeper(self, x: Tensor) -> list[Tensor]:
        """The levels below the first."""
        features = []
        for down in self.down:
            x = down(x)
            features.append(x)
        return features


class TwoBranchEncoder(PlainEncoder):
    """Image and guidance pass a branch each, to as many channels, and are added (ZoomISEG, section 2.1).

    The shallowest features, which a skip takes, are those of the image alone: clicks can't reach the output by the
    shortest way, which would change no more than the pixels around them. All deeper features are of the sum.
    """

    def __init__(self, in_channels: int, widths: Sequence[int], first: int) -> None:
        super().__init__(3, widths, first)
        self.in_channels = in_channels
        self.guidance = convolutions(first, in_channels - 3, widths[0])

    def forward(self, x: Tensor) -> list[Tensor]:
        """All levels of the input (B, in_channels, H, W), RGB first."""
        image = self.image(x[:, :3])
        return [image, *self.deeper(image + self.guidance(x[:, 3:]))]


class TwoBranchBackbone(SkipEncoder):
    """The same with a timm backbone: its stem is the branch of the image, at half size.

    Args:
        in_channels: RGB and the guidance.
        name: a model of timm that offers its features.
        depth: times that the deepest features were halved.

    Raises:
        ConfigError: timm has no such backbone, or none with a plain stem of stride 2.
    """

    def __init__(self, in_channels: int, name: str, depth: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.backbone = StemFusion(name, in_channels, scale=1.0)
        stem, channels, stride = stem_of(self.backbone.encoder.model, name)
        if stride != 2:
            raise ConfigError(f"the stem of {name} has stride {stride}; choose a backbone whose stem has stride 2")
        # Before the hook that adds the guidance.
        stem.register_forward_hook(_keep, prepend=True)
        self.depth = depth
        self.channels = [channels, *self.backbone.channels[2 : depth + 1]]
        self.stride, self.multiple = 2, 2**depth

    def forward(self, x: Tensor) -> list[Tensor]:
        """The stem's features of RGB alone, and those of the backbone from a quarter of the size on."""
        kept: list[Tensor] = []
        token = _KEPT.set(kept)
        try:
            features = self.backbone(x)
        finally:
            _KEPT.reset(token)
        return [kept[0], *features[2 : self.depth + 1]]


_KEPT: ContextVar[list[Tensor] | None] = ContextVar("what the stem gave", default=None)


def _keep(module: nn.Module, given: Any, out: Tensor) -> None:
    kept = _KEPT.get()
    if kept is not None:
        kept.append(out)


class ChannelCrossAttention(nn.Module):
    """Weighs a skip's channels by what is joined to it: sigmoid of the mean of two linear maps of global averages."""

    def __init__(self, skip: int, below: int) -> None:
        super().__init__()
        self.of_skip = nn.Linear(skip, skip)
        self.of_below = nn.Linear(below, skip)

    def forward(self, skip: Tensor, below: Tensor) -> Tensor:
        """Of the skip's shape."""
        scores = self.of_skip(skip.mean((2, 3))) + self.of_below(below.mean((2, 3)))
        return relu(skip * torch.sigmoid(scores / 2)[:, :, None, None])


class Up(nn.Module):
    """One level of a decoder: features of twice the size, a skip if there is one, and two convolutions.

    Args:
        below: channels of the deeper features.
        skip: of the skip; 0 for none.
        out: channels that come out.
        learned: whether a transposed convolution enlarges and halves the channels, as U-Net's does; else the nearest
            pixel is taken.
        attention: whether channel cross-attention weighs the skip.
    """

    def __init__(self, below: int, skip: int, out: int, learned: bool, attention: bool) -> None:
        super().__init__()
        enlarged = below // 2 if learned else below
        self.enlarge = nn.ConvTranspose2d(below, enlarged, 2, 2) if learned else nn.Upsample(scale_factor=2)
        self.attention = ChannelCrossAttention(skip, enlarged) if attention and skip else None
        self.convolutions = convolutions(2, enlarged + skip, out)

    def forward(self, below: Tensor, skip: Tensor | None) -> Tensor:
        """Features of twice the size."""
        x: Tensor = self.enlarge(below)
        if skip is not None:
            skip = skip if self.attention is None else self.attention(skip, x)
            x = torch.cat([skip, x], 1)
        out: Tensor = self.convolutions(x)
        return out


class SkipDecoder(nn.Module):
    """From the deepest features and the skips to the logits.

    Args:
        encoder: of which the features are.
        skips: positions of the features that reach the decoder, shallowest first.
        widths: channels of the levels, deepest first.
        learned: see `Up`.
        attention: see `Up`.
    """

    def __init__(
        self, encoder: SkipEncoder, skips: Sequence[int], widths: Sequence[int], learned: bool, attention: bool
    ) -> None:
        super().__init__()
        self.skips = tuple(skips)
        levels = range(len(encoder.channels) - 2, -1, -1)
        sizes = pairwise([encoder.channels[-1], *widths])
        self.up = nn.ModuleList(
            Up(below, encoder.channels[level] if level in skips else 0, out, learned, attention)
            for level, (below, out) in zip(levels, sizes, strict=True)
        )

    def forward(self, deepest: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """Features as large as the shallowest of the encoder."""
        given = dict(zip(self.skips, skips, strict=True))
        x = deepest
        for level, up in zip(range(len(self.up) - 1, -1, -1), self.up, strict=True):
            x = up(x, given.get(level))
        return x


def enlarged(logits: Tensor, stride: int, size: tuple[int, int]) -> Tensor:
    """Logits at full size, without what was added at the right and the bottom."""
    if stride > 1:
        logits = interpolate(logits, scale_factor=stride, mode="bilinear", align_corners=False)
    return logits[..., : size[0], : size[1]]

"""UCTransNet, and ZoomISEG's version of it, the network of the high magnification."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.networks.channel_transformer import ChannelTransformer
from zoo.networks.skip_network import SkipNetwork, two_branches, without_second
from zoo.networks.skips import PlainEncoder, SkipDecoder, SkipEncoder

LEVELS = (1, 2, 4, 8, 8)
"""Channels of the levels, in widths."""
UP = (4, 2, 1, 1)
"""Of the decoder's, deepest first."""
PATCH = 16
"""Side of the patches at full size; half as many pixels a level."""


class UCTransNet(SkipNetwork):
    """UCTransNet (Wang et al. 2022), unmodified: a U-Net whose skips pass a channel transformer together.

    The decoder weighs the channels of each skip by channel cross-attention. (B, in_channels, H, W) to logits
    (B, 1, H, W), of any size. Points: see `SkipNetwork`.

    Args:
        in_channels: of the image, and of whatever is joined to it.
        width: channels of the first level.
        layers: of the transformer.
        heads: of its attention.
        side: of the images that the positional embeddings are learned for, in pixels; they are resampled for others.
    """

    def __init__(self, in_channels: int = 3, width: int = 64, layers: int = 4, heads: int = 4, side: int = 224) -> None:
        encoder = PlainEncoder(in_channels, [width * level for level in LEVELS], first=1)
        skips = list(range(len(LEVELS) - 1))
        super().__init__(*_parts(encoder, skips, width, layers, heads, side))


class TwoBranchUCTransNet(SkipNetwork):
    """UCTransNet with two branches and without its second-shallowest skip (ZoomISEG, Min and Jeong).

    Image and guidance pass a branch each and are added; the shallowest skip is of the image alone. With a backbone the
    branches end at half of the size, and so does the decoder.

    (B, in_channels, H, W), RGB in 0..1 first, to logits (B, 1, H, W), of any size. Points: see `SkipNetwork`.

    Args:
        in_channels: RGB, a map of positive and one of negative clicks, and the mask.
        width: channels of the first level; of the decoder also with a backbone.
        layers: of the transformer.
        heads: of its attention.
        side: of the images that the positional embeddings are learned for, in pixels; they are resampled for others.
        backbone: a model of timm in the branch of the image; None: plain convolutions, as published.

    Raises:
        ConfigError: there is no guidance, or timm has no such backbone with a plain stem.
    """

    def __init__(
        self,
        in_channels: int = 6,
        width: int = 64,
        layers: int = 4,
        heads: int = 4,
        side: int = 1024,
        backbone: str | None = None,
    ) -> None:
        encoder = two_branches(in_channels, [width * level for level in LEVELS], 1, backbone)
        super().__init__(*_parts(encoder, without_second(encoder), width, layers, heads, side))


def _parts(
    encoder: SkipEncoder, skips: Sequence[int], width: int, layers: int, heads: int, side: int
) -> tuple[SkipEncoder, SkipDecoder, int, ChannelTransformer]:
    """Encoder, decoder, its last channels, and the transformer of the skips."""
    out = [width * level for level in UP]
    channels = [encoder.channels[level] for level in skips]
    patches = [PATCH >> level for level in skips]
    between = ChannelTransformer(channels, patches, max(1, side // (PATCH * encoder.stride)), heads, layers)
    decoder = SkipDecoder(encoder, skips, out, learned=False, attention=True)
    return encoder, decoder, out[-1], between

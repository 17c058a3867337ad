"""ZoomISEG's network of the low magnification."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.networks.skip_network import SkipNetwork, two_branches, without_second
from zoo.networks.skips import SkipDecoder


class TwoBranchUnet(SkipNetwork):
    """U-Net (Ronneberger et al. 2015) with two branches and without its second-shallowest skip (Min and Jeong).

    Image and guidance pass a branch each and are added; the shallowest skip is of the image alone. Convolutions are
    padded and normalised. With a backbone the branches end at half of the size, and so does the decoder.

    (B, in_channels, H, W), RGB in 0..1 first, to logits (B, 1, H, W), of any size. Points: see `SkipNetwork`.

    Args:
        in_channels: RGB, a map of positive and one of negative clicks, and the mask.
        width: channels of the first level, twice as many in each further one; of the decoder also with a backbone.
        depth: how often the size is halved.
        backbone: a model of timm in the branch of the image; None: plain convolutions, as published.

    Raises:
        ConfigError: there is no guidance, or timm has no such backbone with a plain stem.
    """

    def __init__(self, in_channels: int = 6, width: int = 64, depth: int = 4, backbone: str | None = None) -> None:
        widths = [width << level for level in range(depth + 1)]
        # A backbone's first level is half as large as the image: one level fewer.
        encoder = two_branches(in_channels, widths if backbone is None else widths[:-1], 2, backbone)
        out = decoder_widths(widths, len(encoder.channels))
        decoder = SkipDecoder(encoder, without_second(encoder), out, learned=backbone is None, attention=False)
        super().__init__(encoder, decoder, out[-1])


def decoder_widths(widths: Sequence[int], levels: int) -> list[int]:
    """Channels of a decoder's levels, deepest first: those of the encoder's."""
    return list(reversed(widths[: levels - 1]))

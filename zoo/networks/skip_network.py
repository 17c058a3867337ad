"""What U-Nets with skips that can be left out share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor, nn
from torch.nn.functional import pad

from zoo.errors import ConfigError
from zoo.networks.skips import SkipDecoder, SkipEncoder, TwoBranchBackbone, TwoBranchEncoder, enlarged
from zoo.networks.staged import Features, SteppedNetwork, check_input


class SkipNetwork(SteppedNetwork):
    """An encoder, something that may be done to the skips, and a decoder.

    (B, in_channels, H, W), RGB in 0..1 first, to logits (B, 1, H, W). Any size: the right and bottom edges are repeated
    up to the encoder's multiple. Points: `backbone` (deepest features) and `decoder` (before the last convolution).

    Args:
        encoder: gives the features.
        decoder: joins them again.
        out: channels of the decoder's last level.
        between: from skips to skips of the same shapes; None: as they are.
    """

    def __init__(self, encoder: SkipEncoder, decoder: SkipDecoder, out: int, between: nn.Module | None = None) -> None:
        super().__init__()
        self.encoder, self.between, self.decoder = encoder, between, decoder
        self.head = nn.Conv2d(out, 1, 1)
        self.channels = {"backbone": encoder.channels[-1], "decoder": out}

    def begin(self, x: Tensor) -> Features:
        """The deepest features; the skips are the rest.

        Raises:
            ConfigError: another number of channels than the encoder takes.
        """
        check_input(x, self.encoder.in_channels)
        height, width = x.shape[-2:]
        missing = [-length % self.encoder.multiple for length in (width, height)]
        if any(missing):
            x = pad(x, (0, missing[0], 0, missing[1]), mode="replicate")
        features = self.encoder(x)
        skips = [features[level] for level in self.decoder.skips]
        if self.between is not None:
            skips = self.between(skips)
        return Features(features[-1], tuple(skips), (height, width))

    def steps(self) -> Sequence[Callable[[Features], Features]]:
        """The decoder."""
        return [self._decode]

    def _decode(self, features: Features) -> Features:
        return replace(features, value=self.decoder(features.value, features.rest), rest=())

    def finish(self, features: Features) -> Tensor:
        """The last convolution, at input size."""
        return enlarged(self.head(features.value), self.encoder.stride, features.size)

    def load_imagenet(self) -> None:
        """Give the backbone ImageNet weights.

        Raises:
            ConfigError: there is no backbone, or its weights can't be had.
        """
        if not isinstance(self.encoder, TwoBranchBackbone):
            raise ConfigError(f"{type(self).__name__} has no backbone; name one, e.g. backbone: tf_efficientnet_lite0")
        self.encoder.backbone.load_imagenet()


def two_branches(in_channels: int, widths: Sequence[int], first: int, backbone: str | None) -> SkipEncoder:
    """An encoder with two branches, with a backbone or with levels of the given widths.

    Args:
        in_channels: RGB and the guidance.
        widths: channels of the levels; with a backbone only their number counts.
        first: convolutions of the first level.
        backbone: a model of timm; None: plain convolutions.

    Raises:
        ConfigError: there is no guidance.
    """
    if in_channels < 4:
        raise ConfigError(f"in_channels={in_channels} leaves the branch of the guidance nothing; set it to 4 or more")
    if backbone is None:
        return TwoBranchEncoder(in_channels, widths, first)
    return TwoBranchBackbone(in_channels, backbone, len(widths))


def without_second(encoder: SkipEncoder) -> list[int]:
    """The features that become skips of ZoomISEG's networks: all but the deepest and the second-shallowest."""
    return [level for level in range(len(encoder.channels) - 1) if level != 1]

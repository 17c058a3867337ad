"""A U-Net over any backbone of timm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import segmentation_models_pytorch as smp
from torch import Tensor

from zoo.networks.imagenet import Normalise, load_backbone, widened
from zoo.networks.staged import Features, SteppedNetwork


class Unet(SteppedNetwork):
    """U-Net (Ronneberger et al. 2015) with a timm backbone, from segmentation-models-pytorch.

    (B, in_channels, H, W), RGB in 0..1 first, to logits (B, 1, H, W); H and W divisible by 32. Points: `backbone`
    (deepest features, 1/32) and `decoder` (before the last convolution, full size).

    Args:
        in_channels: RGB and further channels, such as guidance.
        backbone: a model of timm that offers its features.
        decoder_channels: of the five decoder blocks, deepest first.
    """

    def __init__(
        self,
        in_channels: int = 3,
        backbone: str = "tf_efficientnet_lite0",
        decoder_channels: Sequence[int] = (128, 64, 64, 32, 16),
    ) -> None:
        super().__init__()
        self.unet = smp.Unet(
            f"tu-{backbone}", encoder_weights=None, in_channels=in_channels, decoder_channels=tuple(decoder_channels)
        )
        self.normalise = Normalise(backbone, in_channels)
        self.backbone = backbone
        self.channels = {"backbone": self.unet.encoder.out_channels[-1], "decoder": decoder_channels[-1]}

    def begin(self, x: Tensor) -> Features:
        """The deepest features; the skips are the rest."""
        x = self.normalise(x)
        self.unet.check_input_shape(x)
        *skips, deepest = self.unet.encoder(x)
        return Features(deepest, tuple(skips), (x.shape[-2], x.shape[-1]))

    def steps(self) -> Sequence[Callable[[Features], Features]]:
        """The decoder."""
        return [self._decode]

    def _decode(self, features: Features) -> Features:
        return replace(features, value=self.unet.decoder([*features.rest, features.value]), rest=())

    def finish(self, features: Features) -> Tensor:
        """The last convolution."""
        logits: Tensor = self.unet.segmentation_head(features.value)
        return logits

    def load_imagenet(self) -> None:
        """Give the backbone ImageNet weights; those of the first layer are zero for channels beyond RGB.

        Raises:
            ConfigError: they can't be had.
        """
        load_backbone(self.unet.encoder.model, self.backbone)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        """A narrower first layer fills up with zeros: a network with more inputs begins as one without them."""
        ours = {f"{prefix}{name}": value for name, value in self.state_dict().items()}
        state_dict.update(widened({name: v for name, v in state_dict.items() if name in ours}, ours))
        super()._load_from_state_dict(state_dict, prefix, *args)

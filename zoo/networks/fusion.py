"""Backbones that see more than RGB: three places where guidance can enter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextvars import ContextVar
from typing import Any, Literal

import torch
from segmentation_models_pytorch.encoders import get_encoder
from torch import Tensor, nn
from torch.nn.functional import interpolate

from zoo.errors import ConfigError
from zoo.networks.imagenet import Normalise, load_backbone

Fusion = Literal["first_layer", "maps", "stem"]
SLOPE = 0.2
NORMS = (nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)


class FusedBackbone(nn.Module, ABC):
    """A timm backbone: (B, in_channels, H, W), RGB in 0..1 first, to features at 1, 1/2, 1/4, ... of the size.

    Attributes:
        channels: of the features, in that order.

    Args:
        name: a model of timm that offers its features.
        in_channels: RGB and further channels.
        seen: how many of these (or of what is made of them) the first layer of the backbone takes.
        output_stride: of the deepest features; where it is less than 32, convolutions are dilated instead.
        options: further arguments of the timm model.

    Raises:
        ConfigError: timm has no such backbone, or not with this stride.
    """

    def __init__(self, name: str, in_channels: int, seen: int, output_stride: int = 32, **options: Any) -> None:
        super().__init__()
        self.name = name
        self.normalise = Normalise(name, in_channels)
        try:
            self.encoder = get_encoder(
                f"tu-{name}", in_channels=seen, weights=None, output_stride=output_stride, **options
            )
        except Exception as error:  # whatever the model's own constructor raises
            raise ConfigError(
                f"timm can't build {name} as a backbone with output stride {output_stride} {options or ''} "
                f"({str(error) or type(error).__name__}); choose stride 32 or another backbone"
            ) from error
        self.channels: list[int] = list(self.encoder.out_channels)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features at 1, 1/2, 1/4, ... of the size."""
        return self.features(self.normalise(x))

    @abstractmethod
    def features(self, x: Tensor) -> list[Tensor]:
        """Features of the normalised input."""

    def load_imagenet(self) -> None:
        """Give the backbone ImageNet weights; those of the first layer are zero for channels beyond RGB.

        Raises:
            ConfigError: they can't be had.
        """
        load_backbone(self.encoder.model, self.name)


class FirstLayerFusion(FusedBackbone):
    """The first layer has more input channels, as in iFCN (Xu et al. 2016)."""

    def __init__(self, name: str, in_channels: int, output_stride: int = 32, **options: Any) -> None:
        super().__init__(name, in_channels, in_channels, output_stride, **options)

    def features(self, x: Tensor) -> list[Tensor]:
        """Features of all channels."""
        features: list[Tensor] = self.encoder(x)
        return features


class MapsFusion(FusedBackbone):
    """Two 1x1 convolutions make three channels of all, as in f-BRS (Sofiiuk et al. 2020)."""

    def __init__(self, name: str, in_channels: int, output_stride: int = 32, **options: Any) -> None:
        super().__init__(name, in_channels, 3, output_stride, **options)
        self.maps = nn.Sequential(
            nn.Conv2d(in_channels, 8, 1), nn.LeakyReLU(SLOPE), nn.BatchNorm2d(8), nn.Conv2d(8, 3, 1)
        )

    def features(self, x: Tensor) -> list[Tensor]:
        """Features of the three channels."""
        features: list[Tensor] = self.encoder(self.maps(x))
        return features


class StemFusion(FusedBackbone):
    """What is beyond RGB is added to the features after the stem, as in RITM (Sofiiuk et al. 2022).

    The stem is the backbone's first convolution with its normalisation and activation.

    Args:
        name, in_channels, output_stride, options: as `FusedBackbone` has them.
        scale: of what is added, a learned number that begins here. The published 0.05 leaves the pretrained backbone
            at peace at first; in a training of some thousand steps the network never comes to hear the guidance, and
            1 serves better.

    Raises:
        ConfigError: no stem is found, or nothing is beyond RGB.
    """

    def __init__(
        self, name: str, in_channels: int, output_stride: int = 32, scale: float = 0.05, **options: Any
    ) -> None:
        super().__init__(name, in_channels, 3, output_stride, **options)
        if in_channels == 3:
            raise ConfigError("fusion: stem adds what is beyond RGB, but in_channels is 3; set it to 4 or more")
        stem, channels, stride = stem_of(self.encoder.model, name)
        # 3x3 at the published stride of 2; a wider stride needs a wider kernel, or it would skip pixels.
        kernel = max(3, stride + 1)
        self.maps = nn.Sequential(
            nn.Conv2d(in_channels - 3, 16, 1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(16, channels, kernel, stride, padding=kernel // 2),
        )
        self.scale = nn.Parameter(torch.tensor([scale]))
        stem.register_forward_hook(_add)

    def features(self, x: Tensor) -> list[Tensor]:
        """Features of RGB, to which those of the other channels were added."""
        token = _ADDED.set(self.maps(x[:, 3:]) * self.scale)
        try:
            features: list[Tensor] = self.encoder(x[:, :3])
        finally:
            _ADDED.reset(token)
        return features


FUSIONS: dict[str, type[FirstLayerFusion] | type[MapsFusion] | type[StemFusion]] = {
    "first_layer": FirstLayerFusion,
    "maps": MapsFusion,
    "stem": StemFusion,
}

# Backbones differ in how they run their layers, so the sum reaches into them by a hook; a variable of the running
# thread's own keeps copies, pickles and threads apart.
_ADDED: ContextVar[Tensor | None] = ContextVar("added after the stem", default=None)


def _add(module: nn.Module, given: Any, out: Tensor) -> Tensor:
    added = _ADDED.get()
    if added is None:
        return out
    if added.shape[-2:] != out.shape[-2:]:
        added = interpolate(added, size=out.shape[-2:], mode="bilinear", align_corners=False)
    return out + added


def stem_of(model: nn.Module, name: str) -> tuple[nn.Module, int, int]:
    """The last layer of the stem, its channels and its stride.

    Raises:
        ConfigError: the model does not begin with plain convolutions of RGB.
    """
    layers = list(model.children())
    last = layers[0]
    convolutions = [layer for layer in last.modules() if isinstance(layer, nn.Conv2d)]
    plain = all(isinstance(layer, nn.Conv2d) or _follows(layer) for layer in last.modules() if _is_leaf(layer))
    if not convolutions or convolutions[0].in_channels != 3 or not plain or getattr(model, "output_fmt", "") == "NHWC":
        raise ConfigError(
            f"no stem is found in {name}: it does not begin with a plain convolution of RGB; choose another backbone, "
            "such as tf_efficientnet_lite0, resnet34 or hrnet_w18, or another fusion"
        )
    for layer in layers[1:]:
        if not _follows(layer):
            break
        last = layer
    stride = 1
    for convolution in convolutions:
        stride *= convolution.stride[0]
    return last, convolutions[-1].out_channels, stride


def _is_leaf(layer: nn.Module) -> bool:
    return next(layer.children(), None) is None


def _follows(layer: nn.Module) -> bool:
    """Whether it is a normalisation or an activation."""
    home = type(layer).__module__
    activation = home == nn.ReLU.__module__ or home.startswith("timm.layers.activations")
    return activation or isinstance(layer, (*NORMS, nn.Identity))

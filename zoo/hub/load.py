"""From a checkpoint's name to a method or a session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import CheckpointError, ConfigError
from zoo.hub.ckpt import read_ckpt
from zoo.hub.description import check_same
from zoo.hub.folder import WEIGHTS, build, for_inference, load_state, read_config, read_weights
from zoo.hub.index import cache_folder, locate
from zoo.inference.backend import Backend, run_on
from zoo.inference.precision import Precision
from zoo.inference.segmenter import Method
from zoo.inference.session import Session

IMAGENET = "imagenet"
COMPILED = "openvino"
"""Folder of compiled networks in the cache folder."""


def load_method(name: str) -> Any:
    """The trained method of a checkpoint, in evaluation mode.

    Args:
        name: a name of the index, the path of a checkpoint folder, or of a `.ckpt` that `zoo fit` wrote.
    """
    return _built(name, training=True)


def load_segmenter(name: str) -> Any:
    """As `load_method`, but without what trains it and without Lightning, where the checkpoint names such a class."""
    return _built(name, training=False)


def _built(name: str, training: bool) -> Any:
    config, state, source = _read(name)
    method = build(config if training else for_inference(config), source)
    load_state(method, config, state, source)
    return method.eval()


def load(
    name: str, device: torch.device | str = "cpu", precision: Precision = "auto", backend: Backend = "auto"
) -> Session:
    """A session with a pretrained method.

    Args:
        name: a name of the index, or the path of a checkpoint folder.
        device: where it runs.
        precision: `float32`, `bfloat16` or `auto`: bfloat16 on CPUs with matrix units (AMX), float32 elsewhere.
        backend: what runs the network: `torch`, `openvino` or `auto`: OpenVINO on a CPU where it is installed
            (`pip install 'isegzoo[openvino]'`) and the method has no refiner, else torch. What OpenVINO makes of a
            network is kept in the cache folder.

    Raises:
        CheckpointError: unknown, incomplete, altered or not an interactive method.
        ConfigError: `openvino` is not installed, or can't run the method, or not on this device.
    """
    method = load_segmenter(name).to(device)
    if not isinstance(method, Method):
        raise CheckpointError(f"{name} holds {type(method).__name__}, which is not interactive")
    run_on(method, backend, torch.device(device), cache_folder() / COMPILED)
    return Session(method.engine(precision), device)


def load_weights(module: nn.Module, name: str, override: bool = False) -> dict[str, Any]:
    """Load weights into a module of the same architecture, strictly, that does the same with them.

    Returns what they are of, `class_path` and `init_args`; of `imagenet` nothing.

    Args:
        module: gets the weights.
        name: a name of the index, the path of a checkpoint folder, or of a `.ckpt` that `zoo fit` wrote; or `imagenet`,
            which asks the module's network for its own way to begin.
        override: whether they may have been trained with another encoder, network of the same shapes, resolution or
            previous mask.

    Raises:
        CheckpointError: unknown, incomplete, altered, of another architecture, or trained otherwise.
        ConfigError: the network knows no ImageNet weights.
    """
    if name == IMAGENET:
        begin = getattr(getattr(module, "network", None), "load_imagenet", None)
        if begin is None:
            raise ConfigError(f"weights: {IMAGENET} needs a network with `load_imagenet`, such as zoo.networks.Unet")
        begin()
        return {}
    config, state, source = _read(name)
    # First, so that weights which do not fit are told as such.
    load_state(module, config, state, source)
    if not override:
        check_same(module, config, source)
    return config


def _read(name: str) -> tuple[dict[str, Any], dict[str, Tensor], Path]:
    """Configuration, state dict, and the file that holds the weights."""
    if name.endswith(".ckpt"):
        return *read_ckpt(Path(name)), Path(name)
    folder = locate(name)
    return read_config(folder), read_weights(folder), folder / WEIGHTS

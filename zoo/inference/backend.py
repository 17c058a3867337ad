"""What runs the networks of a method at test time: torch, or OpenVINO on a CPU."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import nn

from zoo.errors import ConfigError
from zoo.inference.openvino import OpenVINONetwork, is_installed
from zoo.inference.segmenter import Method

Backend = Literal["torch", "openvino", "auto"]


def run_on(method: Method, backend: Backend, device: torch.device, cache: Path | None = None) -> None:
    """Have the networks of a method run by a backend from now on.

    `auto` is OpenVINO on a CPU where it is installed and the method allows it, else torch.

    Args:
        method: on its device, with its weights.
        backend: which.
        device: of the method.
        cache: folder for compiled networks; None: nothing is kept.

    Raises:
        ConfigError: `openvino` was asked for, but is not installed, or can't run the method, or not on this device.
    """
    if backend not in get_args(Backend):
        raise ConfigError(f"backend {backend!r} is none of {', '.join(get_args(Backend))}")
    if backend == "torch" or (backend == "auto" and (device.type != "cpu" or not is_installed())):
        return
    if not is_installed():
        raise ConfigError(
            "backend openvino: OpenVINO is not installed; `pip install 'isegzoo[openvino]'`, or choose torch"
        )
    if device.type != "cpu":
        raise ConfigError(f"backend openvino: runs on the CPU, not on {device}; choose the device cpu, or torch")

    def converted(network: nn.Module) -> nn.Module:
        known = isinstance(network, OpenVINONetwork)
        return network if known else OpenVINONetwork(network, cache, required=backend == "openvino")

    try:
        method.replace_networks(converted)
    except ConfigError as error:
        if backend == "openvino":
            raise ConfigError(f"backend openvino: {error}") from None


def backend_of(module: nn.Module) -> str | None:
    """What ran a method's network, and in which precision, if it was not torch: `openvino 2026.4.1, f32`, say."""
    parts = [part for part in module.modules() if isinstance(part, OpenVINONetwork)]
    precisions = sorted({precision for part in parts for precision in part.precisions})
    return ", ".join([f"openvino {version('openvino')}", *precisions]) if precisions else None

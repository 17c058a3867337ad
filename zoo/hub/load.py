"""From a checkpoint's name to a method or a session."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import CheckpointError, ConfigError
from zoo.hub.cache import cache_folder
from zoo.hub.ckpt import read_ckpt
from zoo.hub.description import check_same
from zoo.hub.folder import build, for_inference, load_state, read_config, read_weights
from zoo.hub.index import WEIGHTS
from zoo.hub.indices import Indices, asked, asking
from zoo.hub.locate import is_address, located
from zoo.hub.trust import check_trusted, saying, trusted
from zoo.inference.backend import Backend, run_on
from zoo.inference.precision import Precision
from zoo.inference.segmenter import Method
from zoo.inference.session import Session

IMAGENET = "imagenet"
COMPILED = "openvino"
"""Folder of compiled networks in the cache folder."""


def load_method(name: str, trust_code: bool | None = None) -> Any:
    """The trained method of a checkpoint, in evaluation mode.

    Args:
        name: as in `load`, or the path of a `.ckpt` that `zoo fit` wrote.
        trust_code: whether its classes may be anybody's; None: of a path yes, as of an experiment that names it, of a
            download no.
    """
    return _built(name, True, trust_code)


def load_segmenter(name: str, trust_code: bool | None = None) -> Any:
    """As `load_method`, but without what trains it and without Lightning, where the checkpoint names such a class."""
    return _built(name, False, trust_code)


def _built(name: str, training: bool, trust_code: bool | None, indices: Indices | None = None) -> Any:
    config, state, source, own = _read(name, indices)
    config = config if training else for_inference(config)
    trust = trusted(trust_code, own)
    if not trust:
        check_trusted(_classes(config), source, own)
    # What it names in turn is trusted as it is itself, but a download never because a path was.
    with saying(False if not trust else trust_code), asking(indices):
        method = build(config, source)
    load_state(method, config, state, source)
    return method.eval()


def load(
    name: str | os.PathLike[str],
    device: torch.device | str = "cpu",
    precision: Precision = "auto",
    backend: Backend = "auto",
    trust_code: bool = False,
    index: str | Sequence[str] | None = None,
) -> Session:
    """A session with a pretrained method.

    Args:
        name: a name that `zoo.list_models` gives; the path of a checkpoint folder; `hf://org/repo`,
            `hf://org/repo@revision` or `hf://org/repo@revision/folder` on Hugging Face; or the `https://...` address of
            a folder. What is downloaded is kept in the cache folder and verified at every load.
        device: where it runs.
        precision: `float32`, `bfloat16` or `auto`: bfloat16 on CPUs with matrix units (AMX), float32 elsewhere.
        backend: what runs the network: `torch`, `openvino` or `auto`: OpenVINO on a CPU where it is installed
            (`pip install 'isegzoo[openvino]'`) and the method has no refiner, else torch. What OpenVINO makes of a
            network is kept in the cache folder.
        trust_code: whether classes outside `zoo` that the checkpoint names may be imported, which runs their code. A
            folder of yours needs it too, unless your program has imported them.
        index: addresses of further indices; None: those of the environment variable `ZOO_INDEX`.

    Raises:
        CheckpointError: unknown, incomplete, altered, not an interactive method, or it names classes outside `zoo`.
        ConfigError: `openvino` is not installed, or can't run the method, or not on this device.
    """
    name = os.fspath(name)
    indices = Indices([index] if isinstance(index, str) else index)
    method = _built(name, False, trust_code, indices).to(device)
    if not isinstance(method, Method):
        raise CheckpointError(f"{name} holds {type(method).__name__}, which is not interactive")
    run_on(method, backend, torch.device(device), cache_folder() / COMPILED)
    return Session(method.engine(precision), device)


def load_weights(module: nn.Module, name: str, override: bool = False) -> dict[str, Any]:
    """Load weights into a module of the same architecture, strictly, that does the same with them.

    Returns what they are of, `class_path` and `init_args`; of `imagenet` nothing.

    Args:
        module: gets the weights.
        name: as in `load`, or the path of a `.ckpt` that `zoo fit` wrote; or `imagenet`, which asks the network for its
            own way to begin.
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
    config, state, source, own = _read(name, None)
    # First, so that weights which do not fit are told as such.
    load_state(module, config, state, source)
    if not override:
        trust = trusted(None, own)
        if not trust:
            check_trusted(_classes(config), source, own)
        with saying(None if trust else False):
            check_same(module, config, source)
    return config


def _read(name: str, indices: Indices | None) -> tuple[dict[str, Any], dict[str, Tensor], Path, bool]:
    """Configuration, state dict, the file that holds the weights, and whether it is a path of this machine."""
    if name.endswith(".ckpt") and not is_address(name):
        return *read_ckpt(Path(name)), Path(name), True
    found = located(name, indices or asked())
    return read_config(found.folder), read_weights(found.folder), found.folder / WEIGHTS, found.own


def _classes(config: dict[str, Any]) -> dict[str, Any]:
    """What `build` builds of a configuration."""
    return {key: value for key, value in config.items() if key in ("class_path", "init_args")}

"""A checkpoint is a folder: `config.yaml`, `model.safetensors` and a model card `README.md`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
import yaml
from jsonargparse import ArgumentParser
from lightning import LightningModule
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from zoo.errors import CheckpointError
from zoo.files import write_bytes, write_text

CONFIG, WEIGHTS, CARD = "config.yaml", "model.safetensors", "README.md"


def save_folder(folder: Path, config: dict[str, Any], state: dict[str, Tensor], card: str, half: bool = True) -> None:
    """Write a checkpoint folder.

    Args:
        folder: made if needed; each file appears under its name only when complete, and replaces an older one.
        config: `class_path` and `init_args` of the method, and the `patients` it was trained on, if known.
        state: its state dict.
        card: text of the model card.
        half: store weights in half precision. Biases and normalisation statistics, which weigh little and have a
            wide range, stay as they are.

    Raises:
        CheckpointError: weights that are not finite, or not in half precision.
    """
    small = {name: _packed(name, value, half) for name, value in state.items()}
    write_bytes(folder / WEIGHTS, save(small))
    write_text(folder / CONFIG, yaml.safe_dump(config, sort_keys=False))
    write_text(folder / CARD, card)


def _packed(name: str, value: Tensor, half: bool) -> Tensor:
    value = value.detach().cpu().contiguous()
    if not value.is_floating_point():
        return value
    packed = value.half() if half and value.ndim > 1 else value
    if not bool(packed.isfinite().all()):
        hint = "the training diverged" if not bool(value.isfinite().all()) else "export it with --no-half"
        raise CheckpointError(f"{name} holds values that are not finite as {packed.dtype}: {hint}")
    return packed


def read_config(folder: Path) -> dict[str, Any]:
    """`class_path` and `init_args` of the method that a folder holds, and the `patients` it was trained on."""
    path = folder / CONFIG
    try:
        config = yaml.safe_load(path.read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise CheckpointError(f"{path}: not readable ({error}); a checkpoint folder needs {CONFIG}") from None
    if not isinstance(config, dict) or "class_path" not in config:
        raise CheckpointError(f"{path}: no class_path; it must name the method's class and its init_args")
    return config


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The state dict of a folder, in single precision. Nothing is unpickled."""
    path = folder / WEIGHTS
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: missing or damaged ({error}); download or export it again") from None
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def build(config: dict[str, Any]) -> LightningModule:
    """The module that `class_path` and `init_args` describe."""
    named = {key: value for key, value in config.items() if key != "patients"}
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(LightningModule, "model")
    try:
        with warnings.catch_warnings():
            # Lightning advises against what `save_hyperparameters` keeps; from YAML it keeps plain values.
            warnings.filterwarnings("ignore", message=r"Attribute .* is an instance of `nn\.Module`")
            module: LightningModule = parser.instantiate_classes(parser.parse_object({"model": named})).model
    except Exception as error:  # jsonargparse raises whatever the class raises
        raise CheckpointError(
            f"can't build {config.get('class_path')}: {error}; is it from another version, or a package not installed?"
        ) from error
    return module


def load_state(module: LightningModule, config: dict[str, Any], state: dict[str, Tensor], source: Path) -> None:
    """Load strictly; what else the module recalls of its training comes back as Lightning gives it back.

    Raises:
        CheckpointError: names or shapes do not fit.
    """
    try:
        with torch.no_grad():
            module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise CheckpointError(f"{source}: the weights do not fit {type(module).__name__}: {error}") from None
    module.on_load_checkpoint({"patients": config.get("patients", ())})

"""A checkpoint is a folder: `config.yaml`, `model.safetensors` and a model card `README.md`."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from pydoc import ErrorDuringImport, locate
from typing import Any

import torch
import yaml
from jsonargparse import ArgumentParser
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from zoo.errors import CheckpointError, first_few
from zoo.files import write_bytes, write_text
from zoo.hub.ckpt import TRAINING_ONLY
from zoo.hub.index import CARD, CONFIG, WEIGHTS

TRAINING = (*TRAINING_ONLY, "loss", "user", "turns", "draft", "click_weight", "coarse")
"""Arguments of a method that its segmenter does not take."""
SHOWN = 3
"""Weights that an error names."""
STEP = ":step"
"""After the name of weights in 8 bits: the size of their steps, one for each entry of the first axis."""


def save_folder(
    folder: Path, config: dict[str, Any], state: Mapping[str, Tensor] | bytes, card: str, bits: int = 16
) -> None:
    """Write a checkpoint folder.

    Args:
        folder: made if needed; each file appears under its name only when complete, and replaces an older one.
        config: `class_path` and `init_args` of the method, its `segmenter`, a class with the same weights that needs no
            Lightning, if it has one, and the `patients` it was trained on, if known.
        state: its state dict; bytes: as another folder has it stored, whatever `bits` says.
        card: text of the model card.
        bits: a weight is stored in, 8, 16 or 32. In 8 it is a whole number of -127..127, times a step that each slice
            along the first axis (of a convolution: each filter) has for itself. Biases and normalisation statistics,
            which weigh little and have a wide range, stay in 32.

    Raises:
        CheckpointError: weights that are not finite, or not in half precision.
    """
    write_bytes(folder / WEIGHTS, state if isinstance(state, bytes) else _stored(state, bits))
    write_text(folder / CONFIG, yaml.safe_dump(config, sort_keys=False))
    write_text(folder / CARD, card)


def _stored(state: Mapping[str, Tensor], bits: int) -> bytes:
    """The file of a state dict."""
    small: dict[str, Tensor] = {}
    for name, value in state.items():
        small |= _packed(name, value.detach().cpu().contiguous(), bits)
    return save(small)


def _packed(name: str, value: Tensor, bits: int) -> dict[str, Tensor]:
    """What is stored of a weight, by name."""
    if not value.is_floating_point():
        return {name: value}
    packed = value.half() if bits == 16 and value.ndim > 1 else value
    if not bool(packed.isfinite().all()):
        hint = "the training diverged" if not bool(value.isfinite().all()) else "publish it with --bits 32"
        raise CheckpointError(f"{name} holds values that are not finite as {packed.dtype}: {hint}")
    if bits > 8 or value.ndim < 2:
        return {name: packed}
    # A filter of zeros keeps them at any step.
    step = (value.flatten(1).abs().amax(1) / 127).clamp(min=torch.finfo(torch.float32).tiny)
    return {name: (value / _along(step, value)).round().to(torch.int8), name + STEP: step}


def _along(step: Tensor, value: Tensor) -> Tensor:
    """Steps (N,) in the shape that multiplies values (N, ...)."""
    return step.view(-1, *[1] * (value.ndim - 1))


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
    """The state dict of a folder, in single precision however it is stored. Nothing is unpickled."""
    path = folder / WEIGHTS
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: missing or damaged ({error}); download or publish it again") from None
    steps = {name.removesuffix(STEP): state.pop(name) for name in list(state) if name.endswith(STEP)}
    state = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
    return state | {name: state[name] * _along(step, state[name]) for name, step in steps.items() if name in state}


def build(config: dict[str, Any], source: object = "") -> nn.Module:
    """The module that `class_path` and `init_args` describe.

    Args:
        config: read from a checkpoint.
        source: the file that it was read from.

    Raises:
        CheckpointError: a class is not there, or does not take its arguments.
    """
    before = f"{source}: " if source else ""
    for path in _class_paths(config):
        try:
            found, reason = locate(path), "there is no such class"
        except ErrorDuringImport as error:
            found, reason = None, f"{type(error.value).__name__}: {error.value}"
        if found is None:
            raise CheckpointError(
                f"{before}needs {path}, which can't be had here ({reason}); install its package, or work in the folder "
                "that its module lies in"
            )
    named = {key: value for key, value in config.items() if key in ("class_path", "init_args")}
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(nn.Module, "model")
    try:
        with warnings.catch_warnings():
            # Lightning advises against what `save_hyperparameters` keeps; from YAML it keeps plain values.
            warnings.filterwarnings("ignore", message=r"Attribute .* is an instance of `nn\.Module`")
            module: nn.Module = parser.instantiate(parser.parse_object({"model": named})).model
    except Exception as error:  # jsonargparse raises whatever the class raises
        lines = [line.strip(" -") for line in str(error).splitlines() if line.strip(" -")]
        lines = [line for line in lines if not line.startswith(("Given value", "Expected a <class"))] or lines
        # The last line is the reason, where jsonargparse tells first which types it tried.
        raise CheckpointError(
            f"{before}can't build {config.get('class_path')}: {lines[-1] if lines else type(error).__name__}; is it "
            "from another version?"
        ) from error
    return module


def for_inference(config: dict[str, Any]) -> dict[str, Any]:
    """The same, with the class that only segments in the place of the method, where the checkpoint names one.

    It imports no Lightning, for seconds, and takes the arguments of the method but for those of training.
    """
    if "segmenter" not in config:
        return config
    given = {name: value for name, value in config.get("init_args", {}).items() if name not in TRAINING}
    return {"class_path": config["segmenter"], "init_args": given}


def _class_paths(config: Any) -> Iterator[str]:
    """All classes that a configuration names in full."""
    if isinstance(config, Mapping):
        path = config.get("class_path")
        if isinstance(path, str) and "." in path:
            yield path
    for value in config.values() if isinstance(config, Mapping) else config if isinstance(config, list) else ():
        yield from _class_paths(value)


def load_state(module: nn.Module, config: dict[str, Any], state: dict[str, Tensor], source: Path) -> None:
    """Load strictly; what else the module recalls of its training comes back as Lightning gives it back.

    Raises:
        CheckpointError: names or shapes do not fit.
    """
    try:
        with torch.no_grad():
            module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        wrong = _unfit(module, state, str(error))
        raise CheckpointError(
            f"{source}: the weights do not fit {type(module).__name__}: {first_few(wrong, SHOWN, '; ')}, of "
            f"{len(state)}; name the method, network and encoder that they were trained with"
        ) from None
    recall = getattr(module, "on_load_checkpoint", None)  # a segmenter recalls nothing
    if recall is not None:
        recall({"patients": config.get("patients", ())})


def _unfit(module: nn.Module, state: Mapping[str, Tensor], message: str) -> list[str]:
    """What is wrong with each of the weights that torch refused with a message."""
    ours = module.state_dict()
    # What torch names: a first layer of another shape may be one that a network widens.
    sizes = [name for name in re.findall(r"size mismatch for ([^:]+):", message) if name in ours and name in state]
    return [
        *(f"{name} is missing" for name in ours if name not in state),
        *(f"{name} is none of its" for name in state if name not in ours),
        *(f"{name} is {_size(state[name])}, not {_size(ours[name])}" for name in sizes),
    ] or [message.strip().splitlines()[-1].strip()]


def _size(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "a number"

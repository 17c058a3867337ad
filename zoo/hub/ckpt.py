"""Reads a Lightning checkpoint without unpickling anything but plain data."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.errors import CheckpointError

# Arguments that only training needs: without them a checkpoint loads wherever zoo is installed.
TRAINING_ONLY = ("optimizer", "scheduler", "weights", "weights_override")


def read_ckpt(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """`class_path`/`init_args`/`patients` and the state dict of a Lightning checkpoint; only plain data is unpickled.

    Raises:
        CheckpointError: unreadable, or without the class and the plain arguments that `zoo fit` records.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(f"{path}: not a readable checkpoint ({reason}); give a .ckpt of `zoo fit`") from None
    config = described(content) if isinstance(content, dict) else None
    if config is None or "state_dict" not in content:
        raise CheckpointError(f"{path}: does not say which class it is of; give a .ckpt of `zoo fit`")
    if content.get("patients"):
        config["patients"] = list(content["patients"])
    return config, content["state_dict"]


def described(content: Mapping[str, Any]) -> dict[str, Any] | None:
    """`class_path` and `init_args` of what a checkpoint's content is of; None where it does not say so."""
    given = dict(content.get("hyper_parameters", {}))
    class_path = given.pop("_class_path", None)
    if class_path is None:
        return None
    given.pop("_instantiator", None)
    return {
        "class_path": class_path,
        "init_args": {name: value for name, value in given.items() if name not in TRAINING_ONLY},
    }

"""From a checkpoint's name to a method or a session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule

from zoo.errors import CheckpointError
from zoo.hub.ckpt import read_ckpt
from zoo.hub.folder import WEIGHTS, build, load_state, read_config, read_weights
from zoo.hub.index import locate
from zoo.inference.precision import Precision
from zoo.inference.session import Session
from zoo.methods.base import InteractiveMethod
from zoo.methods.evaluated import EvaluatedModule


def load_method(name: str) -> Any:
    """The trained method of a checkpoint, in evaluation mode.

    Args:
        name: a name of the index, or the path of a checkpoint folder.
    """
    folder = locate(name)
    method = build(read_config(folder))
    load_state(method, read_weights(folder), folder / WEIGHTS)
    return method.eval()


def load(name: str, device: torch.device | str = "cpu", precision: Precision = "auto") -> Session:
    """A session with a pretrained method.

    Args:
        name: a name of the index, or the path of a checkpoint folder.
        device: where it runs.
        precision: `float32`, `bfloat16` or `auto`: bfloat16 on CPUs with matrix units (AMX), float32 elsewhere.

    Raises:
        CheckpointError: unknown, incomplete, altered or not an interactive method.
    """
    method = load_method(name).to(device)
    if not isinstance(method, EvaluatedModule):
        raise CheckpointError(f"{name} holds {type(method).__name__}, which is not interactive")
    if isinstance(method, InteractiveMethod):
        method.precision = precision
    return Session(method.engine(), device, mpp=getattr(method, "mpp", None))


def load_weights(module: LightningModule, name: str) -> None:
    """Load weights into a module of the same architecture, strictly.

    Args:
        module: gets the weights.
        name: a name of the index, the path of a checkpoint folder, or of a `.ckpt` that `zoo fit` wrote.
    """
    if name.endswith(".ckpt"):
        load_state(module, read_ckpt(Path(name))[1], Path(name))
        return
    folder = locate(name)
    load_state(module, read_weights(folder), folder / WEIGHTS)

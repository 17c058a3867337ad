"""The callbacks that every training has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback, Checkpoint, ModelCheckpoint, ModelSummary, ProgressBar

from zoo.callbacks.checkpoints import LastCheckpoint
from zoo.callbacks.monitors import MonitorCheck
from zoo.callbacks.screen import Bar, ParameterSummary
from zoo.errors import ConfigError

LAST = "last.ckpt"


def training_callbacks(trainer: Mapping[str, Any]) -> list[Callback]:
    """The experiment's callbacks and ours, where the experiment has none of the kind and does not switch it off.

    Args:
        trainer: its arguments, with callbacks that are made.

    Raises:
        ConfigError: a checkpoint is called last but would be the best.
    """
    given = trainer.get("callbacks") or []
    callbacks: list[Callback] = [*given] if isinstance(given, Sequence) else [given]
    for callback in callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.monitor and callback.save_last:
            raise ConfigError(
                f"ModelCheckpoint with monitor {callback.monitor} and save_last writes last.ckpt only when it finds a "
                f"better one; take zoo.callbacks.BestCheckpoint(monitor={callback.monitor}) and "
                "zoo.callbacks.LastCheckpoint"
            )
    ours = {"enable_checkpointing": (Checkpoint, LastCheckpoint), "enable_progress_bar": (ProgressBar, Bar)}
    ours |= {"enable_model_summary": (ModelSummary, ParameterSummary)}
    for switch, (kind, made) in ours.items():
        if trainer.get(switch) is not False and not any(isinstance(callback, kind) for callback in callbacks):
            callbacks.append(made())
    return [*callbacks, MonitorCheck()]


def check_unused(folder: Path) -> None:
    """Refuse a folder of an earlier training: its files would stay beside, or be taken for, the new one's.

    Raises:
        ConfigError: there are checkpoints.
    """
    # The last one first: the best may have been written after it.
    found = sorted(folder.glob("*.ckpt"), key=lambda path: (path.name == LAST, path.stat().st_mtime))
    if found:
        raise ConfigError(
            f"{folder} holds checkpoints of an earlier training: go on with it (--ckpt_path {found[-1]}), remove the "
            "folder, or choose another one (--trainer.default_root_dir)"
        )

"""What a training says when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lightning import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint


def summary(trainer: Trainer) -> Iterator[str]:
    """A line for the last metrics, and one for every checkpoint that was kept."""
    values = {name: float(value) for name, value in trainer.callback_metrics.items() if value.numel() == 1}
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
    yield f"step {trainer.global_step}: {metrics}"
    for callback in trainer.checkpoint_callbacks:
        if not isinstance(callback, ModelCheckpoint):
            continue
        if callback.monitor and callback.best_model_score is not None:
            yield f"best: {callback.best_model_path} ({callback.monitor} {float(callback.best_model_score):.4g})"
        else:
            last = callback.last_model_path or callback.best_model_path
            yield f"last: {last}" if Path(last).is_file() else "no checkpoint was kept"

"""Metrics that callbacks wait for are there, or a training does not begin."""

from __future__ import annotations

from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from zoo.errors import ConfigError

VALIDATED = "val/"


class MonitorCheck(Callback):
    """Refuses callbacks whose `monitor` nobody logs: metrics of the validation before the first step, others after it.

    A validation that is not tried before the training (`num_sanity_val_steps: 0`) is tried on one batch.
    """

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Try a validation where one is waited for.

        Raises:
            ConfigError: one is waited for, but nothing is validated.
        """
        waiting = {name: who for name, who in monitors(trainer).items() if name.startswith(VALIDATED)}
        if not waiting:
            return
        if not trainer.enable_validation:
            name, who = next(iter(waiting.items()))
            raise ConfigError(f"{who} monitors {name}, but nothing is validated; remove it, or `limit_val_batches: 0`")
        trainer.num_sanity_val_steps = trainer.num_sanity_val_steps or 1

    def on_sanity_check_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look for the validation's metrics."""
        check(trainer, validated=True)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look for the training's, once."""
        if trainer.global_step == 1:
            check(trainer, validated=False)


def monitors(trainer: Trainer) -> dict[str, str]:
    """Who waits for each metric: the class of the callback."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    named = {getattr(callback, "monitor", None): type(callback).__name__ for callback in callbacks}
    return {name: who for name, who in named.items() if isinstance(name, str)}


def check(trainer: Trainer, validated: bool) -> None:
    """Raise ConfigError when a monitored metric, of the validation or not, is none that was logged so far."""
    logged = {"epoch", "step", *trainer.callback_metrics}
    for name, who in monitors(trainer).items():
        if name not in logged and name.startswith(VALIDATED) == validated:
            known = ", ".join(sorted(trainer.callback_metrics))
            raise ConfigError(f"{who} monitors {name!r}, which nobody logs; there is {known}")

"""A training of a given time."""

from __future__ import annotations

import math
import time
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from zoo.errors import ConfigError


class TimeBudget(Callback):
    """Ends the training when its time is over, the learning rate by then at 0: for a machine that is there for so long.

    The rate of each group of parameters rises to its own from 0 in the first `warmup` of the time and falls along a
    cosine afterwards. Time that a killed training had used counts when it goes on. Give no `scheduler` beside it.

    Args:
        minutes: of training, validation included.
        warmup: share of the time, in [0, 1).
    """

    def __init__(self, minutes: float, warmup: float = 0.05) -> None:
        if minutes <= 0 or not 0 <= warmup < 1:
            raise ConfigError(f"minutes={minutes} must be above 0, and warmup={warmup} at least 0 and below 1")
        self.minutes, self.warmup = minutes, warmup
        self._before = 0.0
        self._begun: float | None = None
        self._rates: list[float] = []

    @property
    def used(self) -> float:
        """Share of the time that is over."""
        now = 0.0 if self._begun is None else time.monotonic() - self._begun
        return (self._before + now) / (60 * self.minutes)

    def state_dict(self) -> dict[str, Any]:
        """The time used, in seconds."""
        return {"seconds": self.used * 60 * self.minutes, "rates": self._rates}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Recall it."""
        self._before, self._rates = float(state_dict["seconds"]), list(state_dict["rates"])

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The clock starts.

        Raises:
            ConfigError: a scheduler changes the rate too.
        """
        if trainer.lr_scheduler_configs:
            raise ConfigError("TimeBudget sets the learning rate; leave out the model's `scheduler`")
        self._begun = time.monotonic()
        groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
        self._rates = self._rates or [float(group["lr"]) for group in groups]

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Set the rate of this step."""
        factor = self._factor(min(self.used, 1.0))
        groups = (group for optimizer in trainer.optimizers for group in optimizer.param_groups)
        for group, rate in zip(groups, self._rates, strict=True):
            group["lr"] = rate * factor

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop when the time is over; all processes together."""
        over = trainer.strategy.reduce_boolean_decision(self.used >= 1, all=False)
        trainer.should_stop = trainer.should_stop or over

    def _factor(self, used: float) -> float:
        if used < self.warmup:
            return used / self.warmup
        return (1 + math.cos(math.pi * (used - self.warmup) / (1 - self.warmup))) / 2

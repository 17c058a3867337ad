"""The two files that a training leaves: its last step and its best one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint


class LastCheckpoint(ModelCheckpoint):
    """`last.ckpt`: where a training that was stopped goes on, and its end.

    Args:
        every: steps from one writing to the next. The training's last step is written in any case.
        dirpath: folder; None: the command line's, `checkpoints` in the experiment's folder.
    """

    def __init__(self, every: int = 100, dirpath: str | None = None) -> None:
        super().__init__(
            dirpath=dirpath, filename="last", every_n_train_steps=every, save_top_k=1, enable_version_counter=False
        )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write every so many steps, and after the last one: before averaged weights take the place of the trained."""
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        progress = trainer.fit_loop.epoch_loop.batch_progress
        over = progress.is_last_batch and trainer.current_epoch + 1 == trainer.max_epochs
        if over or trainer.global_step == trainer.max_steps:
            self._write(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write, where a callback stopped the training between two writings."""
        self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        if not self._should_skip_saving_checkpoint(trainer):
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))


class BestCheckpoint(ModelCheckpoint):
    """`best.ckpt`: the step whose validation was best.

    Args:
        monitor: a metric of the validation, such as `val/iou@1`.
        mode: whether the largest or the smallest is the best.
        dirpath: folder; None: the command line's, `checkpoints` in the experiment's folder.
    """

    def __init__(self, monitor: str, mode: Literal["max", "min"] = "max", dirpath: str | None = None) -> None:
        super().__init__(
            dirpath=dirpath, filename="best", monitor=monitor, mode=mode, save_top_k=1, enable_version_counter=False
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the file that is there: it may be younger than the step that the training goes on from.

        A training that was stopped had perhaps found a better one after its `last.ckpt` was written.
        """
        super().load_state_dict(state_dict)
        written = Path(self.dirpath or ".") / "best.ckpt"
        if written.is_file():
            content = torch.load(written, map_location="cpu", weights_only=True, mmap=True)
            super().load_state_dict(content["callbacks"].get(self.state_key, state_dict))

"""What a training shows on the screen."""

from __future__ import annotations

import sys
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelSummary, RichProgressBar
from lightning.pytorch.utilities.model_summary.model_summary import get_human_readable_count

from zoo.progress import Lines


class ParameterSummary(ModelSummary):
    """The size of the network in a line: of its operations Lightning knows nothing without an example."""

    @staticmethod
    def summarize(
        summary_data: list[tuple[str, list[str]]],
        total_parameters: int,
        trainable_parameters: int,
        model_size: float,
        total_training_modes: dict[str, int],
        total_flops: int,
        **summarize_kwargs: Any,
    ) -> None:
        """Print the line."""
        total, trained = (get_human_readable_count(n).strip() for n in (total_parameters, trainable_parameters))
        print(f"{total} parameters, {trained} of them trained, {model_size:.1f} MB")


class Bar(RichProgressBar):
    """Lightning's bar, without the number of epochs where steps end a training: it would be given as -2.

    Where there is no terminal to draw it on, it tells the batch in a line now and then.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines = Lines()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the bar, or tell it."""
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        self._tell(trainer, f"epoch {trainer.current_epoch}: batch", batch_idx, self.total_train_batches)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Move the bar, or tell it."""
        super().on_validation_batch_end(trainer, pl_module, outputs, batch, batch_idx, dataloader_idx)
        self._tell(trainer, "validation: batch", batch_idx, self.total_val_batches_current_dataloader)

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Move the bar, or tell it."""
        super().on_test_batch_end(trainer, pl_module, outputs, batch, batch_idx, dataloader_idx)
        self._tell(trainer, "test: batch", batch_idx, self.total_test_batches_current_dataloader)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Move the bar, or tell it."""
        super().on_predict_batch_end(trainer, pl_module, outputs, batch, batch_idx, dataloader_idx)
        self._tell(trainer, "prediction: batch", batch_idx, self.total_predict_batches_current_dataloader)

    def _tell(self, trainer: Trainer, what: str, batch: int, total: int | float) -> None:
        if trainer.is_global_zero and not sys.stdout.isatty():
            self._lines.tell(what, batch + 1, total)

    def _get_train_description(self, current_epoch: int) -> str:
        limited = self.trainer.max_epochs is not None and self.trainer.max_epochs > 0
        return super()._get_train_description(current_epoch) if limited else f"Epoch {current_epoch:<5}"

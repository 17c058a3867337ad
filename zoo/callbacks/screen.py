"""What a training shows on the screen."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.callbacks import ModelSummary, RichProgressBar
from lightning.pytorch.utilities.model_summary.model_summary import get_human_readable_count


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
    """Lightning's bar, without the number of epochs where steps end a training: it would be given as -2."""

    def _get_train_description(self, current_epoch: int) -> str:
        limited = self.trainer.max_epochs is not None and self.trainer.max_epochs > 0
        return super()._get_train_description(current_epoch) if limited else f"Epoch {current_epoch:<5}"

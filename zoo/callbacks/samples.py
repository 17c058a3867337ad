"""Validation samples in the log: pictures, masks, and what was said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, WeightAveraging
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_warn

from zoo.callbacks.traces import Row, log_masks, log_traces, trace_rows
from zoo.data.batch import collate
from zoo.evaluation.record import Record
from zoo.evaluation.stages import Panel, shown_part, stage_pictures
from zoo.images.drawing import Picture
from zoo.methods.evaluated import EvaluatedModule


@dataclass(frozen=True)
class Looked:
    """A sample as it was segmented: its stages' pictures, image (H, W, 3), masks or label maps by name, and record."""

    panels: list[Panel]
    image: Picture
    masks: dict[str, Any]
    record: Record


class SampleLogger(Callback):
    """Logs a fixed set of validation samples, with target, prediction and interactions, to TensorBoard and W&B.

    Pictures of their stages, and one table of their traces: place, time and score of each interaction. W&B
    also gets each image with both masks, which can be switched on and off there.

    The samples are spread evenly over the validation split and are segmented under the method's protocol, when a
    validation begins: by the weights that it validates, averaged ones included. A training that does not validate
    (`limit_val_batches: 0`) logs them every so many steps.

    Args:
        samples: how many.
        every: log after every so many validations.
        steps: log after every so many steps and after `max_steps`, where there are no validations.
    """

    def __init__(self, samples: int = 4, every: int = 1, steps: int = 200) -> None:
        self.samples, self.every, self.steps = samples, every, steps
        self._validations = self._logged = 0

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say it where nothing will be logged."""
        if not _takes_pictures(trainer):
            rank_zero_warn("SampleLogger logs nothing: among the loggers are neither TensorBoard nor Weights & Biases")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log, where there are no validations."""
        step = trainer.global_step
        due = step % self.steps == 0 or step == trainer.max_steps
        if trainer.limit_val_batches or not due or step == self._logged:  # several batches may make one step
            return
        self._logged = step
        with torch.no_grad(), _averaged(trainer, pl_module):
            self._log_samples(trainer, pl_module)

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Log before the first batch, unless this is Lightning's sanity check."""
        if trainer.sanity_checking or batch_idx or dataloader_idx:
            return
        self._validations += 1
        if self._validations % self.every == 0:
            self._log_samples(trainer, pl_module)

    def _log_samples(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero or not _takes_pictures(trainer):
            return
        if not isinstance(pl_module, EvaluatedModule) or pl_module.protocol is None:
            return
        traces: list[Row] = []
        for number, looked in self._pictures(trainer, pl_module).items():
            for stage, picture in looked.panels:
                self._log(trainer, f"samples/{number}", stage, picture)
            log_masks(trainer, f"samples/{number}/masks", looked.image, looked.masks)
            traces += trace_rows(number, looked.record)
        if traces:
            log_traces(trainer, "samples/traces", traces)

    def _pictures(self, trainer: Trainer, method: EvaluatedModule) -> dict[int, Looked]:
        dataset = trainer.datamodule.datasets["val"]  # type: ignore[attr-defined]
        chosen = np.unique(np.linspace(0, len(dataset) - 1, self.samples).round().astype(int)).tolist()
        protocol, out = method.protocol, {}
        assert protocol is not None
        for number in chosen:
            batch = collate([dataset[number]]).to(method.device)
            engine = method.engine()
            outcome = protocol.run(engine, batch)
            records = protocol.records(outcome, batch)
            image, target, _ = shown_part(batch)
            masks = {"target": target, "prediction": protocol.predictions(outcome)[number]}
            out[number] = Looked(stage_pictures(protocol, engine, batch, records), image, masks, records[0])
        return out

    @staticmethod
    def _log(trainer: Trainer, name: str, stage: str, picture: Picture) -> None:
        for logger in trainer.loggers:
            tag = f"{name}/{_plain(stage)}"
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image(tag, picture, trainer.global_step, dataformats="HWC")
            elif isinstance(logger, WandbLogger):
                logger.log_image(tag, [picture], step=trainer.global_step, caption=[stage])


@contextmanager
def _averaged(trainer: Trainer, module: LightningModule) -> Iterator[None]:
    """With averaged weights in the place of the trained ones, as in a validation."""
    averages = [each for each in trainer.callbacks if isinstance(each, WeightAveraging)]  # type: ignore[attr-defined]
    for average in averages:
        average.on_validation_epoch_start(trainer, module)
    try:
        yield
    finally:
        for average in averages:
            average.on_validation_epoch_end(trainer, module)


def _takes_pictures(trainer: Trainer) -> bool:
    return any(isinstance(logger, TensorBoardLogger | WandbLogger) for logger in trainer.loggers)


def _plain(stage: Any) -> str:
    """A stage's caption without its numbers, so that a tag stays the same from step to step."""
    return str(stage).rpartition(", ")[0] or "result"

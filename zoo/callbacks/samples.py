"""Validation samples in the log."""

from __future__ import annotations

from typing import Any

import numpy as np
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger

from zoo.data.batch import collate
from zoo.evaluation.stages import Panel, stage_pictures
from zoo.images.drawing import Picture
from zoo.methods.evaluated import EvaluatedModule


class SampleLogger(Callback):
    """Logs a fixed set of validation samples, with target, prediction and interactions, to TensorBoard and W&B.

    The samples are spread evenly over the validation split and are segmented under the method's protocol, when a
    validation begins: by the weights that it validates, averaged ones included.

    Args:
        samples: how many.
        every: log after every so many validations.
    """

    def __init__(self, samples: int = 4, every: int = 1) -> None:
        self.samples, self.every = samples, every
        self._validations = 0

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Log before the first batch, unless this is Lightning's sanity check."""
        if trainer.sanity_checking or batch_idx or dataloader_idx:
            return
        self._validations += 1
        if self._validations % self.every or not trainer.is_global_zero:
            return
        if not isinstance(pl_module, EvaluatedModule) or pl_module.protocol is None:
            return
        for number, pictures in self._pictures(trainer, pl_module).items():
            for stage, picture in pictures:
                self._log(trainer, f"samples/{number}", stage, picture)

    def _pictures(self, trainer: Trainer, method: EvaluatedModule) -> dict[int, list[Panel]]:
        dataset = trainer.datamodule.datasets["val"]  # type: ignore[attr-defined]
        chosen = np.unique(np.linspace(0, len(dataset) - 1, self.samples).round().astype(int)).tolist()
        protocol, out = method.protocol, {}
        assert protocol is not None
        for number in chosen:
            batch = collate([dataset[number]]).to(method.device)
            engine = method.engine()
            records = protocol.records(protocol.run(engine, batch), batch)
            out[number] = stage_pictures(protocol, engine, batch, records)
        return out

    @staticmethod
    def _log(trainer: Trainer, name: str, stage: str, picture: Picture) -> None:
        for logger in trainer.loggers:
            tag = f"{name}/{_plain(stage)}"
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image(tag, picture, trainer.global_step, dataformats="HWC")
            elif isinstance(logger, WandbLogger):
                logger.log_image(tag, [picture], step=trainer.global_step, caption=[stage])


def _plain(stage: Any) -> str:
    """A stage's caption without its numbers, so that a tag stays the same from step to step."""
    return str(stage).rpartition(", ")[0] or "result"

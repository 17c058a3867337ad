"""Where a run comes from, in its log: configuration, code, data, and the best checkpoint."""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger

from zoo.comparison import provenance
from zoo.data.datamodule import PatchDataModule
from zoo.store.reader import Store

SPLITS = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",)}


class Origin(Callback):
    """Writes where a run comes from to Weights & Biases (its configuration) and TensorBoard (texts).

    The data's checksum, which reads all pixels, is taken beside the work and written when it is there. At the end of a
    training with W&B online the best checkpoint, or the last where there is no best, becomes an artifact.

    Args:
        config: the experiment, with all defaults.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self._sum: Future[str] | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write what is known before the work."""
        if not _written(trainer) or not trainer.is_global_zero:
            return
        facts = {**provenance.commit(), "versions": provenance.versions()}
        for logger in _written(trainer):
            if isinstance(logger, WandbLogger):
                logger.experiment.config.update({"experiment": self.config, "code": facts}, allow_val_change=True)
            else:
                self._text(logger, "experiment", yaml.safe_dump(self.config, sort_keys=False))
                self._text(logger, "code", json.dumps(facts, indent=1))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin with the checksum."""
        self._begin(trainer, "fit")

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin with the checksum, where nothing is trained."""
        self._begin(trainer, "validate")

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin with the checksum."""
        self._begin(trainer, "test")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write the checksum when it is there."""
        if self._sum is not None and self._sum.done():
            self._write_sum(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the checksum, and keep the best checkpoint."""
        self._write_sum(trainer)
        if trainer.is_global_zero:
            for logger in _written(trainer):
                if isinstance(logger, WandbLogger):
                    keep_best(trainer, logger)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the checksum, where nothing is trained."""
        if trainer.state.fn == "validate":
            self._write_sum(trainer)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the checksum."""
        self._write_sum(trainer)

    def _begin(self, trainer: Trainer, verb: str) -> None:
        data = getattr(trainer, "datamodule", None)
        wanted = verb == trainer.state.fn and trainer.is_global_zero and _written(trainer)
        if not wanted or not isinstance(data, PatchDataModule):
            return
        parts = [data.datasets[split].sources for split in SPLITS[verb] if split in data.datasets]
        paths = sorted({store.path for sources in parts for store, _ in sources})
        pool = ThreadPoolExecutor(1)
        self._sum = pool.submit(lambda: provenance.data_checksum(Store(path) for path in paths))
        pool.shutdown(wait=False)

    def _write_sum(self, trainer: Trainer) -> None:
        if self._sum is None:
            return
        checksum, self._sum = self._sum.result(), None
        for logger in _written(trainer):
            if isinstance(logger, WandbLogger):
                logger.experiment.config.update({"data_checksum": checksum}, allow_val_change=True)
            else:
                self._text(logger, "data_checksum", checksum)

    @staticmethod
    def _text(logger: Any, name: str, text: str) -> None:
        # Indented, Markdown shows it as it is.
        logger.experiment.add_text(f"origin/{name}", "\n".join(f"    {line}" for line in text.splitlines()), 0)


def keep_best(trainer: Trainer, logger: WandbLogger) -> None:
    """Make an artifact of the best checkpoint, unless the run is offline, or its logger keeps checkpoints itself."""
    import wandb

    run = logger.experiment
    if logger._log_model or getattr(run, "disabled", False) or run.settings._offline:
        return
    kept = [each for each in trainer.checkpoint_callbacks if isinstance(each, ModelCheckpoint) and each.best_model_path]
    kept.sort(key=lambda each: each.monitor is None)
    if not kept or not Path(kept[0].best_model_path).is_file():
        return
    best = kept[0]
    score = None if best.best_model_score is None else float(best.best_model_score)
    artifact = wandb.Artifact(f"model-{run.id}", "model", metadata={"monitor": best.monitor, "score": score})
    artifact.add_file(best.best_model_path)
    run.log_artifact(artifact, aliases=["best" if best.monitor else "last"])


def _written(trainer: Trainer) -> list[Any]:
    """The loggers that take texts or a configuration."""
    return [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger | WandbLogger)]

"""Which weights are evaluated."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from zoo.files import sha256, write_text
from zoo.methods.evaluated import EvaluatedModule


class TestedWeights(Callback):
    """Says which weights `zoo test`, `validate` and `predict` use, and writes them beside the scores.

    Args:
        folder: of the checkpoints that a training of the experiment leaves.
    """

    __test__ = False  # no class of pytest's

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.weights: dict[str, Any] = {}

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say it."""
        self._say(trainer, pl_module)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say it."""
        self._say(trainer, pl_module)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say it."""
        self._say(trainer, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write `test.json`."""
        self._write(trainer, pl_module, "test")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write `validate.json`."""
        self._write(trainer, pl_module, "validate")

    def _say(self, trainer: Trainer, module: LightningModule) -> None:
        if not any(True for _ in module.parameters()) or not trainer.is_global_zero:
            return
        given, named = trainer.ckpt_path, module.hparams.get("weights")
        self.weights = {"name": str(given or named or "untrained")}
        if Path(self.weights["name"]).is_file():
            self.weights["sha256"] = sha256(Path(self.weights["name"]))
        source = "" if given else " (the experiment's `weights`)" if named else ": the experiment names no `weights`"
        print(f"weights: {self.weights['name']}{source}")
        trained = [which for which in ("best", "last") if (self.folder / f"{which}.ckpt").is_file()]
        ours = self.folder.absolute() == Path(self.weights["name"]).absolute().parent
        if trained and not ours:
            print(f"{self.folder} holds what was trained: --ckpt_path {' or --ckpt_path '.join(trained)} evaluates it")

    def _write(self, trainer: Trainer, module: LightningModule, verb: str) -> None:
        folder = Path(trainer.log_dir or trainer.default_root_dir)  # asked of all processes, since they agree on it
        if trainer.is_global_zero and isinstance(module, EvaluatedModule):
            # JSON knows no NaN.
            scores = {name: value if math.isfinite(value) else None for name, value in module.scores.items()}
            content = {"weights": self.weights or None, "metrics": scores}
            write_text(folder / f"{verb}.json", json.dumps(content, indent=1) + "\n")

"""What runs the network while it is evaluated."""

from __future__ import annotations

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from zoo.inference.backend import Backend, run_on
from zoo.inference.segmenter import Method


class EvaluatedBackend(Callback):
    """Has the network of an evaluated method run by a backend, once its weights are those that are evaluated.

    Args:
        backend: which; see `zoo.inference.backend.run_on`.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Change the method."""
        self._change(pl_module)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Change the method."""
        self._change(pl_module)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Change the method."""
        self._change(pl_module)

    def _change(self, module: LightningModule) -> None:
        if isinstance(module, Method):
            run_on(module, self.backend, module.device)

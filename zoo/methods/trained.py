"""What GuideNet and the interactive methods share: a network with a loss, and how it is optimised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable

from zoo.hub.ckpt import described
from zoo.hub.description import check_same
from zoo.hub.load import load_weights
from zoo.methods.evaluated import EvaluatedModule


class TrainedMethod(EvaluatedModule):
    """What trains a `zoo.segmenters.NetworkedSegmenter`, which a subclass has for a base before this one.

    Args:
        optimizer: called with the trainable parameters.
        scheduler: called with the optimizer; stepped after every batch.
        weights_override: whether weights may be of another encoder, network, resolution or previous mask.
    """

    def __init__(
        self, optimizer: OptimizerCallable, scheduler: LRSchedulerCallable | None, weights_override: bool = False
    ) -> None:
        super().__init__()
        self.make_optimizer = optimizer
        self.make_scheduler = scheduler
        self.weights_override = weights_override

    def begin(self, weights: str | None) -> None:
        """Start from weights: a checkpoint's name, folder or .ckpt, or `imagenet` for a backbone's; None: as it is.

        A method that does not say its resolution works at that of its weights.
        """
        if weights is not None:
            self._work_at(load_weights(self, weights, self.weights_override))

    def _work_at(self, config: Mapping[str, Any]) -> None:
        """Take the resolution of what weights are of, where this method has none; its checkpoints record it."""
        mpp = config.get("init_args", {}).get("mpp")
        if self.mpp is None and mpp is not None:
            self.mpp = self.hparams["mpp"] = mpp

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Recall the patients, and the resolution where this method has none.

        Raises:
            CheckpointError: it was trained with another encoder, network, resolution or previous mask.
        """
        super().on_load_checkpoint(checkpoint)
        config = described(checkpoint)
        if config is None:
            return
        if not self.weights_override:
            check_same(self, config, getattr(self._trainer, "ckpt_path", None) or "the checkpoint")
        self._work_at(config)

    def configure_optimizers(self) -> Any:
        """The given optimizer over the trainable parameters, with the scheduler stepped after every batch."""
        optimizer = self.make_optimizer([p for p in self.parameters() if p.requires_grad])
        if self.make_scheduler is None:
            return optimizer
        schedule = {"scheduler": self.make_scheduler(optimizer), "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": schedule}

"""What GuideNet and the interactive methods share: a network with a loss, and how it is optimised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import nn

from zoo.hub.ckpt import described
from zoo.hub.description import check_same
from zoo.hub.load import load_weights
from zoo.methods.evaluated import EvaluatedModule
from zoo.ops.device import layout


class TrainedMethod(EvaluatedModule):
    """A network that is trained, and evaluated under a protocol.

    Args:
        network: what is trained; kept in memory as its device likes it.
        threshold: probability above which a pixel belongs to the mask.
        optimizer: called with the trainable parameters.
        scheduler: called with the optimizer; stepped after every batch.
        mpp: micrometres per pixel of the training images, if known; None: that of the weights it begins with.
        weights_override: whether weights may be of another encoder, network, resolution or previous mask.
    """

    def __init__(
        self,
        network: nn.Module,
        threshold: float,
        optimizer: OptimizerCallable,
        scheduler: LRSchedulerCallable | None,
        mpp: float | None,
        weights_override: bool = False,
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=layout(self.device))
        self.threshold = threshold
        self.make_optimizer = optimizer
        self.make_scheduler = scheduler
        self.mpp = mpp
        self.weights_override = weights_override

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """As every module, with the network's weights in the device's layout."""
        moved = super().to(*args, **kwargs)
        moved.network.to(memory_format=layout(moved.device))
        return moved

    def replace_networks(self, by: Callable[[nn.Module], nn.Module]) -> None:
        """Replace the network."""
        self.network = by(self.network)

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

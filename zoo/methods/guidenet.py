"""GuideNet: the automatic first segmentation that scribbles then correct."""

from __future__ import annotations

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from zoo import segmenters
from zoo.data.batch import Batch
from zoo.inference.session import as_images
from zoo.methods.trained import TrainedMethod


class GuideNet(segmenters.GuideNet, TrainedMethod):
    """A network that segments regions from the image alone (DeepScribble, section 3.1).

    Args:
        network: RGB (B, 3, H, W) in 0..1 to logits (B, 1, H, W); H and W divisible by 32.
        loss: called as `loss(logits, target, others, ignore)`.
        threshold: probability above which a pixel belongs to the region.
        optimizer: called with the parameters.
        scheduler: called with the optimizer; stepped after every batch.
        weights: a checkpoint's name, folder or .ckpt to start from, or `imagenet` for a backbone's.
        weights_override: whether they may have been trained with another encoder, network of the same shapes,
            resolution or previous mask, which is an error otherwise.
        mpp: micrometres per pixel of the training images, if known; None: that of the weights.
    """

    segmenter = segmenters.GuideNet

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module,
        threshold: float = 0.5,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
        weights: str | None = None,
        mpp: float | None = None,
        weights_override: bool = False,
    ) -> None:
        super().__init__(
            network, threshold, mpp, optimizer=optimizer, scheduler=scheduler, weights_override=weights_override
        )
        self.save_hyperparameters()
        self.loss = loss
        self.begin(weights)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of one batch."""
        truth = batch.truth
        loss: Tensor = self.loss(self(as_images(batch.image)), truth.target, truth.others, truth.ignore)
        self.log("train/loss", loss, prog_bar=True, sync_dist=True)
        return loss

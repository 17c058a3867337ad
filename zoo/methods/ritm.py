"""RITM (Sofiiuk et al. 2021): clicks and the mask before them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from zoo.encoders.base import InteractionEncoder
from zoo.encoders.disk import Disks
from zoo.inference.refiner import Refiner
from zoo.inference.zoom import Zoom
from zoo.losses import NormalizedFocalLoss
from zoo.methods.base import InteractiveMethod
from zoo.users.base import SimulatedUser
from zoo.users.compose import Turns
from zoo.users.random_error import RandomInError
from zoo.users.training_clicks import TrainingClicks


class RITM(InteractiveMethod):
    """RITM: image, click disks and previous mask, to a better mask (Reviving Iterative Training with Mask Guidance).

    The previous mask is the last turn's probability, all 0 before the first. A session can start from an external
    mask, which the clicks then correct. Training follows the paper's iterative sampling: some random clicks, then up to
    three that answer the network's own mask, their number drawn for each sample (the release draws it for each batch).

    Args:
        network: maps 3 channels, the guidance and the previous mask, in this order, to logits.
        encoder: None: disks of radius 5.
        loss: None: normalised focal loss, alpha 0.5 and gamma 2.
        user: None: see `ritm_user`.
        zoom: None: the whole image.
        turns: probabilities of 1, 2, 3 ... turns in a training sample;
            each but the last is without gradient.
        threshold: probability above which a pixel belongs to the mask.
        optimizer: called with the trainable parameters.
        scheduler: called with the optimizer; stepped after every batch.
        weights: a checkpoint's name, folder or .ckpt to start from, or `imagenet` for a backbone's.
        mpp: micrometres per pixel of the training images, if known.
        refiner: changes the prediction at test time.
        flip: whether the mirrored image is segmented too at test time.
    """

    def __init__(
        self,
        network: nn.Module,
        encoder: InteractionEncoder | None = None,
        loss: nn.Module | None = None,
        user: SimulatedUser | None = None,
        zoom: Zoom | None = None,
        turns: Sequence[float] = (0.25, 0.25, 0.25, 0.25),
        threshold: float = 0.5,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
        weights: str | None = None,
        mpp: float | None = None,
        refiner: Refiner | None = None,
        flip: bool = False,
    ) -> None:
        super().__init__(
            network,
            encoder or Disks(radius=5),
            loss or NormalizedFocalLoss(),
            user or ritm_user(),
            zoom,
            turns,
            threshold,
            optimizer,
            scheduler,
            weights,
            mpp,
            refiner,
            flip,
        )
        self.save_hyperparameters()

    def join(self, image: Tensor, guidance: Tensor, previous: Tensor) -> Tensor:
        """Image, guidance and previous mask."""
        parts = [image, guidance.to(image.dtype), previous.to(image.dtype)]
        return torch.cat(parts, 1).contiguous(memory_format=torch.channels_last)


def ritm_user() -> SimulatedUser:
    """Up to 24 random clicks a sign, then a click a turn deep inside the larger error."""
    return Turns([TrainingClicks(), RandomInError()])

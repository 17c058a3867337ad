"""The network that BRS and f-BRS refine (Sofiiuk et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import nn

from zoo.encoders.base import InteractionEncoder
from zoo.encoders.distance import TanhDistance
from zoo.inference.refiner import Refiner
from zoo.inference.zoom import Zoom
from zoo.losses import NormalizedFocalLoss
from zoo.methods.base import InteractiveMethod
from zoo.users.base import SimulatedUser
from zoo.users.training_clicks import TrainingClicks


class FBRSBase(InteractiveMethod):
    """The base network of f-BRS: image and distance maps of the clicks, without a previous mask (f-BRS, released code).

    It is trained on random clicks alone. What answers the mask at test time is a refiner: with none this is the plain
    feed-forward network of the paper's comparison.

    Args:
        network: maps 3 channels and the guidance to logits.
        encoder: None: `tanh(2 d / 260)` to the nearest click of each sign.
        loss: None: normalised focal loss, alpha 0.5 and gamma 2.
        user: None: up to 10 random clicks a sign.
        zoom: None: the whole image.
        turns: probabilities of 1, 2, 3 ... turns in a training sample; with one, clicks never answer a mask.
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
        turns: Sequence[float] = (1.0,),
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
            encoder or TanhDistance(r=260),
            loss or NormalizedFocalLoss(),
            user or TrainingClicks(max_points=10),
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

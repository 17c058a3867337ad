"""NuClick (Koohbanani et al. 2020): one click a nucleus or cell, one squiggle a gland."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from zoo.encoders.base import InteractionEncoder
from zoo.encoders.inclusion_exclusion import InclusionExclusion
from zoo.inference.refiner import Refiner
from zoo.inference.zoom import InteractionWindow, Zoom
from zoo.interactions import Interactions
from zoo.losses import NuClickLoss
from zoo.methods.base import InteractiveMethod
from zoo.networks.nuclick import NuClickNet
from zoo.ops.components import fill_holes, reconstruct, remove_small
from zoo.users.base import SimulatedUser
from zoo.users.compose import Together, Turns
from zoo.users.inside import RandomInside
from zoo.users.next_click import NextClick
from zoo.users.others import OtherObjects


@dataclass(frozen=True)
class PostProcess:
    """From probability to mask, per patch (NuClick, section III.D).

    Attributes:
        threshold: probability above which a pixel belongs to the mask.
        min_object: components of fewer pixels are removed.
        min_hole: holes of fewer pixels are filled.
    """

    threshold: float = 0.5
    min_object: int = 50
    min_hole: int = 30

    def __call__(self, probability: Tensor, interactions: Interactions) -> Tensor:
        """(B, 1, H, W) bool from (B, 1, H, W): also drops every component that holds no positive interaction."""
        mask = (probability > self.threshold)[:, 0]
        mask = fill_holes(remove_small(mask, self.min_object), self.min_hole)
        marker = interactions.pixels(1)
        return torch.where(marker.flatten(1).any(1)[:, None, None], reconstruct(marker, mask), mask)[:, None]


class NuClick(InteractiveMethod):
    """NuClick: single-pixel inclusion and exclusion maps beside the image, one network, per-patch post-processing.

    By default the training user clicks a random point at least 2 px inside the object and the centroids of the other
    objects, each dropped with p ~ U(0, 0.5) and moved by up to 3 px. In later turns (see `turns`) it clicks the
    current error, without which corrective clicks make the mask worse.

    Args:
        network: maps 5 channels to logits; None: `NuClickNet()`.
        encoder: None: inclusion and exclusion maps.
        loss: None: the hybrid loss with the released weight map.
        user: None: as above; `Squiggle` in place of the click for glands.
        zoom: None: 128-pixel windows.
        turns: probabilities of 1, 2, 3 ... turns in a training sample.
        postprocess: from probability to mask; its threshold replaces `threshold`.
        optimizer: called with the trainable parameters.
        scheduler: called with the optimizer; stepped after every batch.
        weights: a checkpoint's name, folder or .ckpt to start from.
        mpp: micrometres per pixel of the training images, if known.
        refiner: changes the prediction at test time.
        flip: whether the mirrored image is segmented too at test time.
    """

    def __init__(
        self,
        network: nn.Module | None = None,
        encoder: InteractionEncoder | None = None,
        loss: nn.Module | None = None,
        user: SimulatedUser | None = None,
        zoom: Zoom | None = None,
        turns: Sequence[float] = (0.5, 0.1667, 0.1667, 0.1666),
        postprocess: PostProcess | None = None,
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
        weights: str | None = None,
        mpp: float | None = None,
        refiner: Refiner | None = None,
        flip: bool = False,
    ) -> None:
        self.postprocess = postprocess or PostProcess()
        super().__init__(
            network=network or NuClickNet(),
            encoder=encoder or InclusionExclusion(),
            loss=loss or NuClickLoss(),
            user=user or training_user(),
            zoom=zoom or InteractionWindow(128),
            turns=turns,
            threshold=self.postprocess.threshold,
            optimizer=optimizer,
            scheduler=scheduler,
            weights=weights,
            mpp=mpp,
            refiner=refiner,
            flip=flip,
        )
        self.save_hyperparameters()

    def mask(self, probability: Tensor, interactions: Interactions) -> Tensor:
        """Threshold, small objects and holes, reconstruction from what was clicked."""
        return self.postprocess(probability, interactions)


def training_user() -> SimulatedUser:
    """A random click inside and the other objects' centroids, then the next click on the error."""
    first = Together([RandomInside(min_distance=2.0), OtherObjects(drop=(0.0, 0.5), jitter=3)])
    return Turns([first, NextClick()])

"""RefineNet: corrects GuideNet's segmentation by scribbles."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from zoo.encoders.base import InteractionEncoder
from zoo.encoders.distance import InverseDistance
from zoo.inference.engine import Engine
from zoo.inference.network_engine import NetworkEngine
from zoo.inference.refiner import Refiner
from zoo.inference.tiling import TiledEngine
from zoo.inference.zoom import Zoom
from zoo.losses import BinaryCrossEntropy
from zoo.methods.base import InteractiveMethod
from zoo.methods.evaluated import refuse_overlap
from zoo.methods.guidenet import GuideNet
from zoo.users.base import SimulatedUser
from zoo.users.correction import CorrectionScribbles


class RefineNet(InteractiveMethod):
    """Image, GuideNet's probability and guidance maps of all scribbles so far, to a better mask (DeepScribble, 3.2).

    The guide's probability is computed once an image and stays; with every turn only the guidance changes. A session
    can start from an external mask, which then takes the guide's place.

    Args:
        network: maps 3 channels, the guide's one and the guidance to logits; H and W divisible by 32.
        guide: GuideNet's checkpoint: a name, folder or .ckpt. It is frozen and not part of this method's weights.
        see_guide: whether the network is given the guide's probability.
        encoder: None: `1 - min(d, 255) / 255` to the nearest scribble of each sign.
        loss: None: binary cross-entropy.
        user: None: a scribble on every wrong region.
        zoom: None: the whole image.
        turns: probabilities of 1, 2, 3 ... turns in a training sample, the last one with the gradient step; the user
            first corrects the guide's mask, then the network's own.
        threshold: probability above which a pixel belongs to the mask.
        optimizer: called with the trainable parameters.
        scheduler: called with the optimizer; stepped after every batch.
        weights: a checkpoint's name, folder or .ckpt to start from, or `imagenet` for a backbone's.
        mpp: micrometres per pixel of the training images, if known.
        tile: larger images are segmented in tiles of this side, in pixels; as long as the windows of the training.
        overlap: of neighbouring tiles, in pixels; see `TiledEngine`.
        refiner: changes the prediction at test time.
        flip: whether the mirrored image is segmented too at test time.
    """

    warmup = 0

    def __init__(
        self,
        network: nn.Module,
        guide: str,
        see_guide: bool = True,
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
        tile: int = 384,
        overlap: int = 96,
        refiner: Refiner | None = None,
        flip: bool = False,
    ) -> None:
        self.see_guide = see_guide
        self.tile, self.overlap = tile, overlap
        super().__init__(
            network,
            encoder or InverseDistance(),
            loss or BinaryCrossEntropy(),
            user or CorrectionScribbles(),
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
        self._guide = [frozen_guide(guide)]

    def on_fit_start(self) -> None:
        """Refuse patients that the guide was trained on: on them its mistakes are not those of a new patient.

        Raises:
            SplitError: there are such patients.
        """
        super().on_fit_start()
        seen = self._patients("train") | self._patients("val")
        refuse_overlap(self._guide[0].patients, seen, "the guide was trained on")

    def on_test_start(self) -> None:
        """Refuse patients that the guide or the network was trained on.

        Raises:
            SplitError: there are such patients.
        """
        super().on_test_start()
        refuse_overlap(self._guide[0].patients, self._patients("test"), "the guide was trained on")

    def engine(self) -> Engine:
        """The method as it is used at test time, in tiles where the image is larger than one."""
        return TiledEngine(NetworkEngine(self), self.tile, self.overlap)

    def guided(self, image: Tensor) -> Tensor:
        """The guide's probability (B, 1, H, W) of images (B, 3, H, W), on their device."""
        # In a list, the guide is no sub-module: it has no place in weights, optimizers and training mode.
        self._guide[0] = self._guide[0].to(image.device)
        return self._guide[0].probability(image)

    def start(self, image: Tensor, mask: Tensor | None) -> Tensor:
        """The guide's probability, or the initial mask."""
        return self.guided(image) if mask is None else mask

    def carry(self, probability: Tensor, previous: Tensor) -> Tensor:
        """The guide's probability stays."""
        return previous

    def join(self, image: Tensor, guidance: Tensor, previous: Tensor) -> Tensor:
        """Image, guide and guidance."""
        parts = [image, previous.to(image.dtype)] if self.see_guide else [image]
        return torch.cat([*parts, guidance.to(image.dtype)], 1).contiguous(memory_format=torch.channels_last)


def frozen_guide(name: str) -> GuideNet:
    """GuideNet of a checkpoint, in evaluation mode and without gradients."""
    from zoo.hub.load import load_method

    guide: GuideNet = load_method(name)
    return guide.eval().requires_grad_(False)

"""RefineNet: corrects GuideNet's segmentation by scribbles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from zoo.encoders.base import InteractionEncoder
from zoo.encoders.distance import InverseDistance
from zoo.hub.load import load_method
from zoo.inference.engine import Engine
from zoo.inference.precision import Precision
from zoo.inference.tiling import TiledEngine
from zoo.losses import BinaryCrossEntropy
from zoo.methods.base import InteractiveMethod
from zoo.methods.evaluated import refuse_overlap
from zoo.methods.guidenet import GuideNet
from zoo.ops.device import layout
from zoo.users.base import SimulatedUser
from zoo.users.correction import CorrectionScribbles


class RefineNet(InteractiveMethod):
    """Image, GuideNet's probability and guidance maps of all scribbles so far, to a better mask (DeepScribble, 3.2).

    The guide's probability is computed once an image and stays; with every turn only the guidance changes. A session
    can start from an external mask, which then takes the guide's place.

    The user first corrects the guide's mask, then the network's own. By default: `1 - min(d, 255) / 255` of the
    distance d to the nearest scribble of each sign; binary cross-entropy; a scribble on every wrong region; 1 to 4
    turns, equally often.

    Args:
        network: maps 3 channels, the guide's one and the guidance to logits; H and W divisible by 32.
        guide: GuideNet's checkpoint: a name, folder or .ckpt. It is frozen and not part of this method's weights.
        see_guide: whether the network is given the guide's probability.
        tile: larger images are segmented in tiles of this side, in pixels; as long as the windows of the training.
        overlap: of neighbouring tiles, in pixels; see `TiledEngine`.
        common: see `InteractiveMethod`.
    """

    warmup = 0
    default_turns = (0.25, 0.25, 0.25, 0.25)

    def __init__(
        self,
        network: nn.Module,
        guide: str,
        *,
        see_guide: bool = True,
        tile: int = 384,
        overlap: int = 96,
        **common: Any,
    ) -> None:
        self.see_guide = see_guide
        self.tile, self.overlap = tile, overlap
        super().__init__(network, **common)
        self._guide = [frozen_guide(guide)]

    def default_encoder(self) -> InteractionEncoder:
        """`1 - min(d, 255) / 255` to the nearest scribble of each sign."""
        return InverseDistance()

    def default_loss(self) -> nn.Module:
        """Binary cross-entropy."""
        return BinaryCrossEntropy()

    def default_user(self) -> SimulatedUser:
        """A scribble on every wrong region."""
        return CorrectionScribbles()

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

    def replace_networks(self, by: Callable[[nn.Module], nn.Module]) -> None:
        """Replace the network, and the guide's."""
        super().replace_networks(by)
        self._guide[0].replace_networks(by)

    def engine(self, precision: Precision = "trainer") -> Engine:
        """The method as it is used at test time, in tiles where the image is larger than one."""
        return TiledEngine(super().engine(precision), self.tile, self.overlap)

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
        return torch.cat([*parts, guidance.to(image.dtype)], 1).contiguous(memory_format=layout(image.device))


def frozen_guide(name: str) -> GuideNet:
    """GuideNet of a checkpoint, in evaluation mode and without gradients."""
    guide: GuideNet = load_method(name)
    return guide.eval().requires_grad_(False)

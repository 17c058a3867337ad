"""RefineNet: corrects GuideNet's segmentation by scribbles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from zoo.encoders.base import InteractionEncoder
from zoo.encoders.distance import InverseDistance
from zoo.hub.load import load_segmenter
from zoo.inference.engine import Engine
from zoo.inference.merging import MergingEngine
from zoo.inference.precision import Precision
from zoo.inference.tiling import TiledEngine
from zoo.ops.device import layout
from zoo.segmenters.guidenet import GuideNet
from zoo.segmenters.interactive import InteractiveSegmenter


class RefineNet(InteractiveSegmenter):
    """Image, GuideNet's probability and guidance of all scribbles, to a better mask; see `zoo.methods.RefineNet`.

    Args:
        network: maps 3 channels, the guide's one and the guidance to logits; H and W divisible by 32.
        guide: GuideNet's checkpoint: a name, folder or .ckpt. It is frozen and not part of this method's weights.
        see_guide: whether the network is given the guide's probability.
        tile: larger images are segmented in tiles of this side, in pixels.
        overlap: of neighbouring tiles, in pixels; see `TiledEngine`.
        merge: a turn changes only what is connected with what was said and within so many pixels of it; see
            `MergingEngine`. None: everything.
        common: see `InteractiveSegmenter`.
    """

    warmup = 0

    def __init__(
        self,
        network: nn.Module,
        guide: str,
        *,
        see_guide: bool = True,
        tile: int = 384,
        overlap: int = 96,
        merge: float | None = None,
        **common: Any,
    ) -> None:
        self.see_guide = see_guide
        self.tile, self.overlap, self.merge = tile, overlap, merge
        super().__init__(network, **common)
        self._guide = [self.load_guide(guide)]

    def replace_networks(self, by: Callable[[nn.Module], nn.Module]) -> None:
        """Replace the network, and the guide's."""
        super().replace_networks(by)
        self._guide[0].replace_networks(by)

    def load_guide(self, name: str) -> GuideNet:
        """GuideNet of a checkpoint, in evaluation mode and without gradients."""
        guide: GuideNet = load_segmenter(name).eval().requires_grad_(False)
        return guide

    @property
    def guide_net(self) -> GuideNet:
        """What gives the first probability; no sub-module."""
        return self._guide[0]

    def default_encoder(self) -> InteractionEncoder:
        """`1 - min(d, 255) / 255` to the nearest scribble of each sign."""
        return InverseDistance()

    def engine(self, precision: Precision = "trainer") -> Engine:
        """The method as it is used at test time, in tiles where the image is larger than one."""
        engine = TiledEngine(super().engine(precision), self.tile, self.overlap)
        return engine if self.merge is None else MergingEngine(engine, self.merge)

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

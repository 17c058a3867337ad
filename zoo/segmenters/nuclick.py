"""NuClick (Koohbanani et al. 2020): one click a nucleus or cell, one squiggle a gland."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zoo.encoders.base import InteractionEncoder
from zoo.encoders.inclusion_exclusion import InclusionExclusion
from zoo.inference.zoom import InteractionWindow, Zoom
from zoo.interactions import Interactions
from zoo.networks.nuclick import NuClickNet
from zoo.ops.components import fill_holes, reconstruct, remove_small
from zoo.segmenters.interactive import InteractiveSegmenter


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


class NuClick(InteractiveSegmenter):
    """Inclusion and exclusion maps beside the image, and post-processing; see `zoo.methods.NuClick`.

    Args:
        network: maps 5 channels to logits; None: `NuClickNet()`.
        postprocess: from probability to mask; it holds the threshold.
        common: see `InteractiveSegmenter`; without `threshold`.
    """

    remembers = False
    reach = "objects"

    def __init__(
        self, network: nn.Module | None = None, *, postprocess: PostProcess | None = None, **common: Any
    ) -> None:
        self.postprocess = postprocess or PostProcess()
        super().__init__(network or NuClickNet(), threshold=self.postprocess.threshold, **common)

    def default_encoder(self) -> InteractionEncoder:
        """Inclusion and exclusion maps."""
        return InclusionExclusion()

    def default_zoom(self) -> Zoom:
        """Windows of 128 px."""
        return InteractionWindow(128)

    def mask(self, probability: Tensor, interactions: Interactions) -> Tensor:
        """Threshold, small objects and holes, reconstruction from what was clicked."""
        return self.postprocess(probability, interactions)

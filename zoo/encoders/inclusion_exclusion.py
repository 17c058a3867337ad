"""NuClick's guidance: inclusion and exclusion maps of single pixels and 1-pixel scribbles."""

import torch
from torch import Tensor

from zoo.encoders.base import InteractionEncoder
from zoo.interactions import Interactions


class InclusionExclusion(InteractionEncoder):
    """Channel 0 is 1 under positive clicks and scribbles, channel 1 under negative ones (NuClick, section III.C).

    Clicks outside the image are skipped; an empty map is 0.
    """

    out_channels = 2

    def forward(self, interactions: Interactions, image: Tensor) -> Tensor:
        """(B, 2, H, W) float32, 0 or 1."""
        return torch.stack([interactions.pixels(label) for label in (1, 0)], 1).float()

"""RITM (Sofiiuk et al. 2021): clicks and the mask before them."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.encoders.base import InteractionEncoder
from zoo.encoders.disk import Disks
from zoo.ops.device import layout
from zoo.segmenters.interactive import InteractiveSegmenter


class RITM(InteractiveSegmenter):
    """Image, click disks and previous mask, to a better mask; see `zoo.methods.RITM`, and `InteractiveSegmenter`."""

    def default_encoder(self) -> InteractionEncoder:
        """Disks of radius 5."""
        return Disks(radius=5)

    def join(self, image: Tensor, guidance: Tensor, previous: Tensor) -> Tensor:
        """Image, guidance and previous mask."""
        parts = [image, guidance.to(image.dtype), previous.to(image.dtype)]
        return torch.cat(parts, 1).contiguous(memory_format=layout(image.device))

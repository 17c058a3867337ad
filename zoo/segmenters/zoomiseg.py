"""ZoomISEG (Min and Jeong): clicks at two magnifications, the low one's mask handed to the high one."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor, nn

from zoo.segmenters.ritm import RITM

MaskInput = Literal["previous", "external", "zeros"]


class ZoomISEG(RITM):
    """One magnification of ZoomISEG: image, click disks and a mask, to a better mask; see `zoo.methods.ZoomISEG`.

    Args:
        network: maps 6 channels to logits: RGB, positive and negative clicks, the mask.
        mask_input: what the network is given as its mask: `previous`, the last probability, and before the first click
            the mask that the session starts from; `external`, always the mask that it starts from; `zeros`, none.
            A session that is given no mask starts from an empty one.
        common: see `InteractiveSegmenter`.
    """

    def __init__(self, network: nn.Module, *, mask_input: MaskInput = "previous", **common: Any) -> None:
        super().__init__(network, **common)
        self.mask_input = mask_input
        self.remembers = mask_input != "zeros" or self.connected

    def carry(self, probability: Tensor, previous: Tensor) -> Tensor:
        """The last probability, or the mask of the start."""
        return previous if self.mask_input == "external" else probability

    def join(self, image: Tensor, guidance: Tensor, previous: Tensor) -> Tensor:
        """Image, guidance and the mask, or nothing in its place."""
        return super().join(image, guidance, previous * 0 if self.mask_input == "zeros" else previous)

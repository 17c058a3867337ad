"""ZoomISEG (Min and Jeong): clicks at two magnifications, the low one's mask handed to the high one."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from zoo import segmenters
from zoo.data.coarse import CoarseMasks
from zoo.errors import ConfigError
from zoo.interactions import Interactions
from zoo.losses import NormalizedFocalLoss, click_loss
from zoo.methods.base import InteractiveMethod
from zoo.segmenters.zoomiseg import MaskInput
from zoo.users.base import SimulatedUser, Truth
from zoo.users.compose import IfEmpty, Turns
from zoo.users.random_error import RandomInError
from zoo.users.training_clicks import TrainingClicks


class ZoomISEG(segmenters.ZoomISEG, InteractiveMethod):
    """One magnification of ZoomISEG: image, click disks and a mask, to a better mask.

    The published networks are `TwoBranchUnet` at the low magnification (L2) and `TwoBranchUCTransNet` at the high one
    (L1); any that takes 6 channels will do. Clicks and turns of training are RITM's. A session at the high
    magnification starts from the mask of the low one; with `coarse`, so does a share of the training samples, and is
    corrected from the first click on.

    By default: disks of radius 5; normalised focal loss, alpha 0.5 and gamma 2, and 0.05 times the click loss;
    `zoomiseg_user`; 1 to 4 turns, equally often.

    Args:
        network: maps 6 channels to logits: RGB, positive and negative clicks, the mask.
        mask_input: see `zoo.segmenters.ZoomISEG`.
        click_weight: of the click loss, which is added to the loss; 0 for none.
        coarse: masks that training samples start from, like those of a lower magnification; None: all start from
            nothing.
        common: see `InteractiveMethod`.

    Raises:
        ConfigError: the weight is below 0.
    """

    segmenter = segmenters.ZoomISEG
    default_turns = (0.25, 0.25, 0.25, 0.25)

    def __init__(
        self,
        network: nn.Module,
        *,
        mask_input: MaskInput = "previous",
        click_weight: float = 0.05,
        coarse: CoarseMasks | None = None,
        **common: Any,
    ) -> None:
        super().__init__(network, mask_input=mask_input, **common)
        if click_weight < 0:
            raise ConfigError(f"click_weight={click_weight} must be 0 or more")
        self.click_weight, self.coarse = click_weight, coarse

    def default_loss(self) -> nn.Module:
        """Normalised focal loss, alpha 0.5 and gamma 2."""
        return NormalizedFocalLoss()

    def default_user(self) -> SimulatedUser:
        """See `zoomiseg_user`."""
        return zoomiseg_user()

    def first(self, image: Tensor, truth: Truth) -> Tensor:
        """Coarse masks, or nothing."""
        return self.start(image, None if self.coarse is None else self.coarse(truth))

    def objective(self, logits: Tensor, truth: Truth, interactions: Interactions) -> Tensor:
        """The loss of the mask, and that of the clicks."""
        loss = super().objective(logits, truth, interactions)
        return loss + self.click_weight * click_loss(logits, interactions)


def zoomiseg_user() -> SimulatedUser:
    """RITM's, but a sample that starts from a mask is corrected at once: a click deep inside the larger error."""
    correction = RandomInError()
    return Turns([IfEmpty([TrainingClicks(), correction]), correction])

"""RefineNet: corrects GuideNet's segmentation by scribbles."""

from __future__ import annotations

from typing import Any, cast

from torch import nn

from zoo import segmenters
from zoo.hub.load import load_method
from zoo.losses import BinaryCrossEntropy
from zoo.methods.base import InteractiveMethod
from zoo.methods.evaluated import refuse_overlap
from zoo.methods.guidenet import GuideNet
from zoo.users.base import SimulatedUser
from zoo.users.correction import CorrectionScribbles


class RefineNet(segmenters.RefineNet, InteractiveMethod):
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
        merge: at test time a turn changes only what is connected with what was said and within so many pixels of it;
            see `MergingEngine`. None: everything.
        common: see `InteractiveMethod`.
    """

    segmenter = segmenters.RefineNet
    default_turns = (0.25, 0.25, 0.25, 0.25)

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
        super().__init__(network, guide, see_guide=see_guide, tile=tile, overlap=overlap, merge=merge, **common)

    def load_guide(self, name: str) -> GuideNet:
        """The whole method, which knows its patients."""
        return frozen_guide(name)

    def default_loss(self) -> nn.Module:
        """Binary cross-entropy."""
        return BinaryCrossEntropy()

    def default_user(self) -> SimulatedUser:
        """A scribble on every wrong region."""
        return CorrectionScribbles()

    def _patients_of_guide(self) -> frozenset[str]:
        guide = cast(GuideNet, self._guide[0])  # `load_guide` gave it
        return guide.patients

    def on_fit_start(self) -> None:
        """Refuse patients that the guide was trained on: on them its mistakes are not those of a new patient.

        Raises:
            SplitError: there are such patients.
        """
        super().on_fit_start()
        seen = self._patients("train") | self._patients("val")
        refuse_overlap(self._patients_of_guide(), seen, "the guide was trained on")

    def on_test_start(self) -> None:
        """Refuse patients that the guide or the network was trained on.

        Raises:
            SplitError: there are such patients.
        """
        super().on_test_start()
        refuse_overlap(self._patients_of_guide(), self._patients("test"), "the guide was trained on")


def frozen_guide(name: str) -> GuideNet:
    """GuideNet of a checkpoint, in evaluation mode and without gradients."""
    guide: GuideNet = load_method(name)
    return guide.eval().requires_grad_(False)

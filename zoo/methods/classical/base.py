"""What the classical methods share: seeds in, masks out, and maps of the stain."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage import color
from torch import Tensor

from zoo.errors import NotTrainableError
from zoo.inference.engine import Engine, State
from zoo.inference.precision import Precision
from zoo.inference.zoom import InteractionWindow
from zoo.interactions import Interactions
from zoo.methods.evaluated import EvaluatedModule

Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]
Stain = Literal["gray", "hematoxylin", "saturation"]


class ClassicalMethod(EvaluatedModule, Engine):
    """A method that segments one image at a time from its seeds; module and engine in one.

    A pixel that was given both signs is positive: strokes don't tell which of them came later.

    Args:
        window: side in pixels of the window around a click that is looked at in larger images; None for whole images.

    Attributes:
        continues: whether it goes on from the previous mask, so that this may stand for positive seeds.
    """

    continues = False

    def __init__(self, window: int | None = 128) -> None:
        super().__init__()
        self.window = window

    @abstractmethod
    def segment(self, image: Floats, positive: Mask, negative: Mask, previous: Mask | None = None) -> Mask:
        """The mask (H, W) from an image (H, W, 3) in 0..1, the pixels of both signs (H, W) and the previous mask."""

    def engine(self, precision: Precision = "trainer") -> Engine:
        """The method itself."""
        return self

    def start(self, image: Tensor, mask: Tensor | None = None) -> State:
        """The initial mask, or nothing."""
        return {"probability": torch.zeros_like(image[:, :1]) if mask is None else mask.to(image.dtype)}

    def step(self, image: Tensor, interactions: Interactions, state: State) -> State:
        """Segment each sample again from all its seeds; without a positive one, and outside the window, it stays."""
        if self.window is None or max(interactions.size) <= self.window:
            return {"probability": self._segmented(image, interactions, state["probability"])[0]}
        frame, whole = InteractionWindow(self.window)(interactions, image), state["probability"]
        mask, which = self._segmented(frame.crop(image), interactions.through(frame), frame.crop(whole))
        # Pasting may resample: what was not segmented stays as it is.
        return {"probability": torch.where(which[:, None, None, None], frame.paste(mask, whole), whole)}

    def _segmented(self, image: Tensor, interactions: Interactions, before: Tensor) -> tuple[Tensor, Tensor]:
        """The masks after, and (B,) bool: which samples were segmented."""
        pixels = image.permute(0, 2, 3, 1).cpu().numpy()
        positive, negative = (interactions.pixels(label).cpu().numpy() for label in (1, 0))
        negative &= ~positive
        previous = (before[:, 0] > 0.5).cpu().numpy()
        which = [bool(p.any() or (self.continues and b.any())) for p, b in zip(positive, previous, strict=True)]
        out = before.clone()
        for i in np.flatnonzero(which).tolist():
            mask = self.segment(pixels[i], positive[i], negative[i], previous[i])
            out[i, 0] = torch.from_numpy(mask).to(out)
        return out, torch.tensor(which, device=out.device)

    def configure_optimizers(self) -> None:
        """There is nothing to train.

        Raises:
            NotTrainableError: always.
        """
        raise NotTrainableError(
            f"{type(self).__name__} is a classical method: there is nothing to fit; use `zoo test` or `zoo compare`"
        )

    def training_step(self) -> None:
        """Never called: `configure_optimizers` refuses before."""


def stain_map(image: Floats, stain: Stain) -> Floats:
    """(H, W) map of an image (H, W, 3) in 0..1, larger where there is more stain."""
    if stain == "hematoxylin":
        return np.asarray(color.rgb2hed(image)[..., 0])
    if stain == "saturation":
        return np.asarray(color.rgb2hsv(image)[..., 1])
    return np.asarray(1 - color.rgb2gray(image))


def holding(mask: Mask, seeds: Mask) -> Mask:
    """The 8-connected parts of a mask that hold a seed."""
    numbers, _ = ndimage.label(mask, np.ones((3, 3)))
    return np.asarray(mask & np.isin(numbers, numbers[seeds & mask]))


def filled(mask: Mask, negative: Mask) -> Mask:
    """The mask with its holes, but for those that hold a negative seed."""
    holes = ndimage.binary_fill_holes(mask) & ~mask
    numbers, _ = ndimage.label(holes)
    return np.asarray(mask | (holes & ~np.isin(numbers, numbers[holes & negative])))


def grown(seeds: Mask, radius: int) -> Mask:
    """Seeds as disks of a radius in pixels."""
    if radius <= 0 or not seeds.any():
        return seeds
    return np.asarray(ndimage.distance_transform_edt(~seeds) <= radius)

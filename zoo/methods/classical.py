"""Methods without parameters: what every learned method has to beat."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage import color, filters, segmentation
from torch import Tensor

from zoo.errors import NotTrainableError
from zoo.inference.engine import Engine, State
from zoo.inference.zoom import InteractionWindow
from zoo.interactions import Interactions
from zoo.methods.evaluated import EvaluatedModule

Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]
Stain = Literal["gray", "hematoxylin", "saturation"]


class ClassicalMethod(EvaluatedModule, Engine):
    """A method that segments one image at a time from its seeds; module and engine in one.

    Args:
        window: side in pixels of the window around a click that is looked at in larger images; None for whole images.
    """

    def __init__(self, window: int | None = 128) -> None:
        super().__init__()
        self.window = window

    @abstractmethod
    def segment(self, image: Floats, positive: Mask, negative: Mask) -> Mask:
        """The mask (H, W) from an image (H, W, 3) in 0..1 and the pixels of both signs (H, W)."""

    def engine(self) -> Engine:
        """The method itself."""
        return self

    def start(self, image: Tensor, mask: Tensor | None = None) -> State:
        """The initial mask, or nothing."""
        return {"probability": torch.zeros_like(image[:, :1]) if mask is None else mask.to(image.dtype)}

    def step(self, image: Tensor, interactions: Interactions, state: State) -> State:
        """Segment each sample again from all its seeds; without a positive one, and outside the window, it stays."""
        if self.window is None or max(interactions.size) <= self.window:
            return {"probability": self._segmented(image, interactions, state["probability"])}
        frame = InteractionWindow(self.window)(interactions, image)
        before = frame.crop(state["probability"])
        mask = self._segmented(frame.crop(image), interactions.through(frame), before)
        return {"probability": frame.paste(mask, state["probability"])}

    def _segmented(self, image: Tensor, interactions: Interactions, before: Tensor) -> Tensor:
        pixels = image.permute(0, 2, 3, 1).cpu().numpy()
        positive, negative = (interactions.pixels(label).cpu().numpy() for label in (1, 0))
        out = before.clone()
        for i in range(len(interactions)):
            if positive[i].any():
                mask = self.segment(pixels[i], positive[i], negative[i])
                out[i, 0] = torch.from_numpy(mask).to(out)
        return out

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


class Watershed(ClassicalMethod):
    """Marker-controlled watershed on the smoothed gradient, from the seeds (scikit-image).

    Pixels that Otsu's threshold of the window counts as background are never flooded, as far as the seeds allow.

    Args:
        stain: what is flooded: grey level, hematoxylin (colour deconvolution) or saturation.
        sigma: of the Gaussian that smooths it, in pixels.
        foreground: whether to keep within Otsu's foreground.
        compactness: of scikit-image's compact watershed; 0 is the classical one.
        seed_radius: seeds are grown to disks of this radius, in pixels.
        max_radius: pixels farther than this from every positive seed are background; None: no limit.
        window: side in pixels of the window around a click; None for whole images.
    """

    def __init__(
        self,
        stain: Stain = "hematoxylin",
        sigma: float = 1.0,
        foreground: bool = True,
        compactness: float = 0.0,
        seed_radius: int = 2,
        max_radius: float | None = 30.0,
        window: int | None = 128,
    ) -> None:
        super().__init__(window)
        self.save_hyperparameters()
        self.stain: Stain = stain
        self.sigma, self.foreground, self.compactness = sigma, foreground, compactness
        self.seed_radius, self.max_radius = seed_radius, max_radius

    def segment(self, image: Floats, positive: Mask, negative: Mask) -> Mask:
        """Flood from both kinds of seeds; the positive basins with their holes are the mask."""
        level = filters.gaussian(stain_map(image, self.stain), self.sigma)
        markers = np.zeros(level.shape, np.int32)
        markers[_grown(negative, self.seed_radius) & ~positive] = 2
        markers[_grown(positive, self.seed_radius) & ~negative] = 1
        markers[positive] = 1
        mask = np.ones(level.shape, bool)
        if self.foreground:
            mask = level > filters.threshold_otsu(level)
        if self.max_radius is not None:
            mask &= ndimage.distance_transform_edt(~positive) <= self.max_radius
        mask |= markers > 0
        basins = segmentation.watershed(filters.sobel(level), markers, mask=mask, compactness=self.compactness)
        return _filled(basins == 1, negative)


class RegionGrowing(ClassicalMethod):
    """Grows from the positive seeds over pixels that look like them (Adams & Bischof 1994, in NuClick's set-up).

    A pixel joins when its level is within `tolerance` of the seeds' mean; pixels nearer to a negative seed than to any
    positive one never join.

    Args:
        stain: what is compared: grey level, hematoxylin (colour deconvolution) or saturation.
        sigma: of the Gaussian that smooths it, in pixels.
        tolerance: largest difference, in standard deviations of the window.
        iterations: steps of one pixel.
        seed_radius: the seeds' mean is taken over disks of this radius, in pixels.
        window: side in pixels of the window around a click; None for whole images.
    """

    def __init__(
        self,
        stain: Stain = "hematoxylin",
        sigma: float = 1.0,
        tolerance: float = 1.0,
        iterations: int = 30,
        seed_radius: int = 2,
        window: int | None = 128,
    ) -> None:
        super().__init__(window)
        self.save_hyperparameters()
        self.stain: Stain = stain
        self.sigma, self.tolerance, self.iterations, self.seed_radius = sigma, tolerance, iterations, seed_radius

    def segment(self, image: Floats, positive: Mask, negative: Mask) -> Mask:
        """Constrained dilation from the positive seeds."""
        level = filters.gaussian(stain_map(image, self.stain), self.sigma)
        reference = level[_grown(positive, self.seed_radius)].mean()
        similar = np.abs(level - reference) <= self.tolerance * level.std()
        if negative.any():
            similar &= ndimage.distance_transform_edt(~positive) <= ndimage.distance_transform_edt(~negative)
        similar |= positive
        grown = ndimage.binary_dilation(positive, iterations=self.iterations, mask=similar)
        return _filled(grown, negative)


def stain_map(image: Floats, stain: Stain) -> Floats:
    """(H, W) map of an image (H, W, 3) in 0..1, larger where there is more stain."""
    if stain == "hematoxylin":
        return np.asarray(color.rgb2hed(image)[..., 0])
    if stain == "saturation":
        return np.asarray(color.rgb2hsv(image)[..., 1])
    return np.asarray(1 - color.rgb2gray(image))


def _filled(mask: Mask, negative: Mask) -> Mask:
    """The mask with its holes, but for those that hold a negative seed."""
    holes = ndimage.binary_fill_holes(mask) & ~mask
    numbers, _ = ndimage.label(holes)
    return np.asarray(mask | (holes & ~np.isin(numbers, numbers[holes & negative])))


def _grown(seeds: Mask, radius: int) -> Mask:
    if radius <= 0 or not seeds.any():
        return seeds
    return np.asarray(ndimage.distance_transform_edt(~seeds) <= radius)

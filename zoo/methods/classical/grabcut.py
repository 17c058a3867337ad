"""GrabCut."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import filters

from zoo.methods.classical.base import ClassicalMethod, Floats, Mask, filled, grown, holding


class GrabCut(ClassicalMethod):
    """Graph cuts on two mixtures of colours that are fitted again in every iteration (Rother et al. 2004, OpenCV).

    The seeds are certain. The mixtures start from a guess of all other pixels: within `radius` of a seed the sign of
    the nearest one, elsewhere the previous mask.

    Args:
        sigma: of the Gaussian that smooths the colours, in pixels.
        radius: how far a seed tells the guess, in pixels.
        iterations: of fitting and cutting.
        seed_radius: seeds are grown to disks of this radius, in pixels.
        connected: whether to keep only parts that hold a positive seed, or without one a part of the previous mask.
        window: side in pixels of the window around a click; None for whole images.
    """

    continues = True

    def __init__(
        self,
        sigma: float = 1.0,
        radius: float = 12.0,
        iterations: int = 2,
        seed_radius: int = 2,
        connected: bool = True,
        window: int | None = 128,
    ) -> None:
        super().__init__(window)
        self.save_hyperparameters()
        self.sigma, self.radius, self.iterations = sigma, radius, iterations
        self.seed_radius, self.connected = seed_radius, connected

    def segment(self, image: Floats, positive: Mask, negative: Mask, previous: Mask | None = None) -> Mask:
        """Cut the window from what was found before."""
        to_positive, to_negative = _distance(positive), _distance(negative)
        guess = np.zeros_like(positive) if previous is None else previous.copy()
        guess[to_negative <= self.radius] = False
        guess[(to_positive <= self.radius) & (to_positive <= to_negative)] = True
        certain_no = grown(negative, self.seed_radius) & ~positive
        certain_yes = (grown(positive, self.seed_radius) & ~certain_no) | positive
        trimap = np.where(guess, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        trimap[certain_no], trimap[certain_yes] = cv2.GC_BGD, cv2.GC_FGD
        found = self._cut(image, trimap)
        if self.connected:
            asked = positive if positive.any() or previous is None else previous & ~negative
            found = holding(found, asked)
        return filled(found, negative)

    def _cut(self, image: Floats, trimap: NDArray[np.uint8]) -> Mask:
        inside = _is_inside(trimap)
        if inside.all() or not inside.any():
            return inside  # a mixture of no pixels can't be fitted
        colours = filters.gaussian(image, self.sigma, channel_axis=2) if self.sigma > 0 else image
        colours = np.ascontiguousarray((colours * 255).round().clip(0, 255).astype(np.uint8))
        cv2.setRNGSeed(0)  # the mixtures start from k-means with OpenCV's global generator
        outer, inner = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(colours, trimap, (0, 0, 0, 0), outer, inner, self.iterations, cv2.GC_INIT_WITH_MASK)
        return _is_inside(trimap)


def _is_inside(trimap: NDArray[np.uint8]) -> Mask:
    return np.asarray((trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD))


def _distance(seeds: Mask) -> Floats:
    """To the nearest seed, in pixels; infinite without one."""
    return np.asarray(ndimage.distance_transform_edt(~seeds)) if seeds.any() else np.full(seeds.shape, np.inf)

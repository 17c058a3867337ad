"""Random walker."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import filters, segmentation

from zoo.methods.classical.base import ClassicalMethod, Floats, Mask, Stain, stain_map


class RandomWalker(ClassicalMethod):
    """Random walker (Grady 2006, scikit-image): a pixel belongs to the sign whose seeds a walk from it reaches first.

    The linear system is solved directly, which at these sizes is both faster than conjugate gradients and exact.
    Without negative seeds and without `max_radius` there is only one sign to reach: all of the window is the mask.

    Args:
        stain: what walks avoid to change: grey level, hematoxylin (colour deconvolution) or saturation.
        sigma: of the Gaussian that smooths it, in pixels.
        beta: how much: a step between levels that differ by d standard deviations weighs exp(-beta * d^2 / 10).
        max_radius: pixels farther than this from every positive seed are background; None: no limit.
        grid: larger images are solved on a grid of at most this many pixels a side, and interpolated.
        window: side in pixels of the window around a click; None for whole images.
    """

    warmup = 2

    def __init__(
        self,
        stain: Stain = "hematoxylin",
        sigma: float = 1.0,
        beta: float = 30.0,
        max_radius: float | None = 30.0,
        grid: int = 192,
        window: int | None = 128,
    ) -> None:
        super().__init__(window)
        self.save_hyperparameters()
        self.stain: Stain = stain
        self.sigma, self.beta, self.max_radius, self.grid = sigma, beta, max_radius, grid

    def segment(self, image: Floats, positive: Mask, negative: Mask, previous: Mask | None = None) -> Mask:
        """Where walks end at positive seeds more often than at negative ones."""
        far = np.zeros_like(positive)
        if self.max_radius is not None:
            far = ndimage.distance_transform_edt(~positive) > self.max_radius
        height, width = positive.shape
        shrink = max(1.0, max(height, width) / self.grid)
        size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
        level = filters.gaussian(stain_map(image, self.stain), self.sigma)
        level = cv2.resize(level, size, interpolation=cv2.INTER_AREA)
        seeds = np.zeros(level.shape, np.int32)
        seeds[(_share(far, size) == 1) | (_share(negative, size) > 0)] = 2
        seeds[_share(positive, size) > 0] = 1
        probability = self.probability(level, seeds).astype(np.float32)
        mask = cv2.resize(probability, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        return np.asarray((mask & ~far & ~negative) | positive)

    def probability(self, level: Floats, seeds: NDArray[np.int32]) -> Floats:
        """(H, W) probability that a walk reaches a positive seed first.

        Args:
            level: (H, W) what is compared.
            seeds: (H, W) int32: 1 positive, 2 negative, 0 none.
        """
        if not (seeds == 0).any() or not (seeds == 2).any():
            return np.asarray(seeds != 2, float)
        beta, deviation = self.beta, level.std()
        if deviation > 1e-6:
            level = level / deviation
        else:
            # scikit-image divides by the deviation; where nothing differs all steps weigh the same.
            level, beta = np.indices(level.shape)[0].astype(float), 0.0
        return np.asarray(
            segmentation.random_walker(level, seeds, beta=beta, mode="bf", return_full_prob=True, prob_tol=1.0)[0]
        )


def _share(mask: Mask, size: tuple[int, int]) -> Floats:
    """What share of each cell of a grid (width, height) a mask covers."""
    return np.asarray(cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA))

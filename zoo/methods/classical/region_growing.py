"""Region growing."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage import filters

from zoo.errors import ConfigError
from zoo.methods.classical.base import ClassicalMethod, Floats, Mask, Stain, filled, grown, stain_map


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

    Raises:
        ConfigError: no iteration.
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
        if iterations < 1:
            raise ConfigError(f"iterations={iterations} must be 1 or more steps of one pixel")
        self.sigma, self.tolerance, self.iterations, self.seed_radius = sigma, tolerance, iterations, seed_radius

    def segment(self, image: Floats, positive: Mask, negative: Mask, previous: Mask | None = None) -> Mask:
        """Constrained dilation from the positive seeds."""
        level = filters.gaussian(stain_map(image, self.stain), self.sigma)
        reference = level[grown(positive, self.seed_radius)].mean()
        similar = np.abs(level - reference) <= self.tolerance * level.std()
        if negative.any():
            similar &= ndimage.distance_transform_edt(~positive) <= ndimage.distance_transform_edt(~negative)
        similar |= positive
        mask = ndimage.binary_dilation(positive, iterations=self.iterations, mask=similar)
        return filled(mask, negative)

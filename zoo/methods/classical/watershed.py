"""Marker-controlled watershed."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage import filters, segmentation

from zoo.methods.classical.base import ClassicalMethod, Floats, Mask, Stain, filled, grown, stain_map


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

    warmup = 2

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

    def segment(self, image: Floats, positive: Mask, negative: Mask, previous: Mask | None = None) -> Mask:
        """Flood from both kinds of seeds; the positive basins with their holes are the mask."""
        level = filters.gaussian(stain_map(image, self.stain), self.sigma)
        markers = np.zeros(level.shape, np.int32)
        markers[grown(negative, self.seed_radius) & ~positive] = 2
        markers[grown(positive, self.seed_radius) & ~negative] = 1
        markers[positive] = 1
        mask = np.ones(level.shape, bool)
        if self.foreground:
            mask = level > filters.threshold_otsu(level)
        if self.max_radius is not None:
            mask &= ndimage.distance_transform_edt(~positive) <= self.max_radius
        mask |= markers > 0
        basins = segmentation.watershed(filters.sobel(level), markers, mask=mask, compactness=self.compactness)
        return filled(basins == 1, negative)

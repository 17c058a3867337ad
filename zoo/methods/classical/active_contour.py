"""Active contour without edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage import filters, segmentation

from zoo.errors import ConfigError
from zoo.methods.classical.base import ClassicalMethod, Floats, Mask, Stain, filled, grown, stain_map


class ActiveContour(ClassicalMethod):
    """Morphological Chan-Vese (Marquez-Neila et al. 2014, scikit-image) from disks around the positive seeds.

    The contour moves by up to one pixel an iteration, so that the mean levels inside and outside fit best. It starts
    from the previous mask with the disks (NuClick, section IV: a circle of radius 3) and never crosses a seed.

    Args:
        stain: what is compared: grey level, hematoxylin (colour deconvolution) or saturation.
        sigma: of the Gaussian that smooths it, in pixels.
        iterations: steps of one pixel; an even number.
        smoothing: of the contour, in passes an iteration.
        seed_radius: of the disks around the seeds of both signs, in pixels.
        window: side in pixels of the window around a click; None for whole images.

    Raises:
        ConfigError: an odd number of iterations.
    """

    continues = True

    def __init__(
        self,
        stain: Stain = "hematoxylin",
        sigma: float = 1.0,
        iterations: int = 30,
        smoothing: int = 1,
        seed_radius: int = 3,
        window: int | None = 128,
    ) -> None:
        # scikit-image alternates two smoothing operators in a cycle that outlives the call.
        if iterations % 2:
            raise ConfigError(f"iterations={iterations} must be even, or the result would depend on earlier calls")
        super().__init__(window)
        self.save_hyperparameters()
        self.stain: Stain = stain
        self.sigma, self.iterations, self.smoothing, self.seed_radius = sigma, iterations, smoothing, seed_radius

    def segment(self, image: Floats, positive: Mask, negative: Mask, previous: Mask | None = None) -> Mask:
        """Move the contour; the inside with its holes is the mask."""
        level = filters.gaussian(stain_map(image, self.stain), self.sigma)
        outside = grown(negative, self.seed_radius) & ~positive
        inside = (grown(positive, self.seed_radius) & ~outside) | positive

        def hold(contour: NDArray[np.int8]) -> None:
            contour[outside], contour[inside] = 0, 1

        start = inside if previous is None else inside | previous
        mask = segmentation.morphological_chan_vese(
            level, self.iterations, start, smoothing=self.smoothing, iter_callback=hold
        )
        return filled(mask > 0, negative)

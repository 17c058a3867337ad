"""Images of another resolution than the one a method was trained at."""

from __future__ import annotations

import logging
import math
import warnings

import torch

from zoo.errors import InteractionError
from zoo.ops.frame import Frame

log = logging.getLogger(__name__)

# Scanners of one nominal magnification differ by about this much, and networks do not mind.
TOLERANCE = 0.02


def working_frame(
    batch: int,
    size: tuple[int, int],
    image_mpp: float | None,
    method_mpp: float | None,
    device: torch.device | str = "cpu",
) -> Frame | None:
    """From the given images to the pixels the method was trained at; None when they are the same.

    Args:
        batch: number of images.
        size: their height and width in pixels.
        image_mpp: their micrometres per pixel; None: unknown.
        method_mpp: micrometres per pixel of the method's training images; None: unknown.
        device: of the frame.

    Raises:
        InteractionError: an mpp that is not a positive number.

    Warns:
        UserWarning: one of the two is unknown, so that nothing can be resampled.
    """
    for mpp in (image_mpp, method_mpp):
        if mpp is not None and not (math.isfinite(mpp) and mpp > 0):
            raise InteractionError(f"mpp={mpp} is no resolution; give micrometres per pixel, e.g. 0.25 at 40x")
    if image_mpp is None and method_mpp is None:
        return None
    if image_mpp is None:
        warnings.warn(
            f"the image's mpp is unknown; it is segmented as if it had the {method_mpp:g} um/px of the training "
            "images; if it has not, give mpp",
            stacklevel=3,
        )
        return None
    if method_mpp is None:
        warnings.warn("the checkpoint records no mpp; the image is segmented as it is", stacklevel=3)
        return None
    scale = image_mpp / method_mpp
    if abs(scale - 1) <= TOLERANCE:
        return None
    height, width = (max(1, math.ceil(side * scale - 1e-9)) for side in size)
    log.info(
        "resampling the image from %g to the checkpoint's %g um/px: %d x %d to %d x %d pixels",
        *(image_mpp, method_mpp, size[1], size[0], width, height),
    )
    zero = torch.zeros(batch, dtype=torch.float64, device=device)
    return Frame(zero, zero, torch.full_like(zero, scale), (height, width))

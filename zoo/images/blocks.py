"""Images averaged in blocks of pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def shrink(image: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Means over blocks of `factor` x `factor` pixels: (H // factor, W // factor, 3) uint8, rounded to the nearest.

    What is left over on the right and at the bottom is dropped.
    """
    height, width = image.shape[0] // factor, image.shape[1] // factor
    whole = np.ascontiguousarray(image[: height * factor, : width * factor])
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)

"""Targets that image and label do not explain, so that a network has to listen to its user."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from zoo.errors import ConfigError
from zoo.store.schema import IGNORE


class Disagreement:
    """Turns the label over in smooth blobs, in a part of the training samples.

    On few training images a network soon segments every window right from its pixels, and never learns what the
    interactions are for. Where the target differs from what the tissue shows, only the user can tell. Blobs are turned
    over on one side only, inside or outside of the region, so that they end at its border as real errors do.

    Args:
        p: share of the samples.
        least: smallest share of a window that blobs cover, before they are cut to one side.
        most: largest.
        size: of the blobs, the standard deviation of the smoothing that makes them, in pixels.
    """

    def __init__(self, p: float = 0.5, least: float = 0.05, most: float = 0.25, size: float = 24.0) -> None:
        if not (0 <= p <= 1 and 0 < least <= most < 1 and size > 0):
            raise ConfigError(f"p={p} must be within 0..1, 0 < least={least} <= most={most} < 1, size={size} above 0")
        self.p, self.least, self.most, self.size = p, least, most, size

    def __call__(self, label: NDArray[np.integer], seed: int) -> NDArray[np.integer]:
        """Label (H, W) of a region, 255 = ignore, to the same; the seed decides everything."""
        rng = np.random.default_rng(seed)
        if rng.random() >= self.p:
            return label
        step = max(1, round(self.size / 4))
        height, width = label.shape
        noise: NDArray[Any] = rng.standard_normal((-(-height // step) + 1, -(-width // step) + 1))
        noise = cv2.GaussianBlur(noise, (0, 0), self.size / step)
        noise = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        blobs = noise > np.quantile(noise, 1 - rng.uniform(self.least, self.most))
        inside = (label > 0) & (label != IGNORE)
        turned = label.copy()
        if rng.random() < 0.5:
            turned[blobs & inside] = 0
        else:
            turned[blobs & (label == 0)] = 1
        return turned

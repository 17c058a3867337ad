"""Geometry beside the bare library call that is its limit."""

import cv2
import numpy as np
import torch
from skimage.morphology import skeletonize as scikit_image

from benchmarks.common import Row, best_of
from zoo.ops import connected_components, distance_transform, skeletonize


def run() -> list[Row]:
    """Time each operation on blobs: 32 samples of 128x128 and one of 1000x1000."""
    rows = []
    for batch, size in ((32, 128), (1, 1000)):
        masks = _blobs(batch, size)
        arrays = [mask.view(np.uint8) for mask in masks.numpy()]

        def bare_distance(arrays: list[np.ndarray] = arrays) -> None:
            for array in arrays:
                cv2.distanceTransform(array, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)

        def bare_components(arrays: list[np.ndarray] = arrays) -> None:
            for array in arrays:
                cv2.connectedComponents(array, connectivity=8)

        def bare_skeleton(arrays: list[np.ndarray] = arrays) -> None:
            for array in arrays:
                scikit_image(array)

        for name, ours, bare, limit in (
            ("distance transform", distance_transform, bare_distance, "cv2.distanceTransform"),
            ("connected components", connected_components, bare_components, "cv2.connectedComponents"),
            ("skeleton", skeletonize, bare_skeleton, "skimage.morphology.skeletonize"),
        ):
            ours_s = best_of(lambda ours=ours, masks=masks: ours(masks))
            rows.append(Row(f"{name} {batch}x{size}x{size}", ours_s, best_of(bare), limit))
    return rows


def _blobs(batch: int, size: int) -> torch.Tensor:
    """Smoothed noise above its median: (B,H,W) bool, about as many objects as a field of nuclei."""
    noise = np.random.default_rng(0).random((batch, size, size), dtype=np.float32)
    smooth = np.stack([cv2.GaussianBlur(sample, (0, 0), 6) for sample in noise])
    return torch.from_numpy(smooth > 0.5)

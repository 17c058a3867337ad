"""Simulated users beside the bare library calls they can't do without."""

import cv2
import numpy as np
import torch
from skimage.morphology import skeletonize

from benchmarks.common import Row, best_of
from zoo.interactions import Interactions
from zoo.users import NextClick, OtherObjects, RandomInside, Squiggle, Truth


def run() -> list[Row]:
    """Time users on 32 samples of 128x128, as in training, and the next click on one of 1000x1000."""
    return [*_users(32, 128, "all"), *_users(1, 1000, "next click")]


def _users(batch: int, side: int, which: str) -> list[Row]:
    rng = np.random.default_rng(0)
    noise = np.stack([cv2.GaussianBlur(n, (0, 0), 6) for n in rng.random((batch, side, side), dtype=np.float32)])
    labels = np.stack([cv2.connectedComponents((n > 0.5).view(np.uint8))[1] for n in noise]).astype(np.int64)
    instances = torch.from_numpy(labels)[:, None]
    object_id = instances[:, 0].flatten(1).amax(1)
    target = instances == object_id[:, None, None, None]
    truth = Truth(target, torch.arange(batch), instances, object_id)
    prediction = target.roll((4, 4), (2, 3))
    arguments = (prediction, truth, Interactions.empty(batch, (side, side)), 0)
    inside = target[:, 0].numpy()
    wrong = np.concatenate([(target & ~prediction)[:, 0], (prediction & ~target)[:, 0]])
    padded = np.pad(wrong, ((0, 0), (1, 1), (1, 1))).view(np.uint8)

    def distances(masks: np.ndarray) -> None:
        for mask in masks:
            cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)

    def skeletons() -> None:
        for mask in inside:
            skeletonize(mask)

    cases = [
        ("next click", NextClick(), lambda: distances(padded), "2 x cv2.distanceTransform"),
        ("random inside", RandomInside(), lambda: distances(inside.view(np.uint8)), "cv2.distanceTransform"),
        ("other objects", OtherObjects((0.0, 0.5), 3), lambda: np.unique(labels), "np.unique of the labels"),
        ("squiggle", Squiggle("none"), skeletons, "skimage.morphology.skeletonize"),
    ]
    return [
        Row(f"{name} {batch}x{side}x{side}", best_of(lambda user=user: user(*arguments)), best_of(bare), limit)
        for name, user, bare, limit in cases
        if which in ("all", name)
    ]

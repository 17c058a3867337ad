"""Simulated users beside the bare library calls they can't do without, or a loop that does the same."""

import cv2
import numpy as np
import torch
from skimage.morphology import skeletonize

from benchmarks.common import Row, best_of, best_of_each
from zoo.interactions import Interactions
from zoo.users import NextClick, OtherObjects, RandomInError, RandomInside, Squiggle, TrainingClicks, Truth

POINTS = 24


def run() -> list[Row]:
    """Time users on 32 samples of 128x128, as in training, and the next click on one of 1000x1000.

    What trains click networks is also timed on the GPU, if there is one, beside the same loop with masks copied to the
    CPU and clicks back.
    """
    rows = [*_users(32, 128, "all"), *_users(1, 1000, "next click")]
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    return rows + [row for device in devices for row in _training(8, 384, device)]


def _shapes(batch: int, side: int) -> tuple[Truth, torch.Tensor]:
    """Blobs, one of each sample as the target, and masks of it that are a little off."""
    rng = np.random.default_rng(0)
    noise = np.stack([cv2.GaussianBlur(n, (0, 0), 6) for n in rng.random((batch, side, side), dtype=np.float32)])
    labels = np.stack([cv2.connectedComponents((n > 0.5).view(np.uint8))[1] for n in noise]).astype(np.int64)
    instances = torch.from_numpy(labels)[:, None]
    object_id = instances[:, 0].flatten(1).amax(1)
    target = instances == object_id[:, None, None, None]
    return Truth(target, torch.arange(batch), instances, object_id), target.roll((4, 4), (2, 3))


def _users(batch: int, side: int, which: str) -> list[Row]:
    truth, prediction = _shapes(batch, side)
    target, labels = truth.target, truth.instances.numpy()[:, 0]
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


def _training(batch: int, side: int, device: str) -> list[Row]:
    """The clicks of a training step: random ones, and one that answers the mask."""
    truth, prediction = _shapes(batch, side)
    on_device = truth.to(device)
    mask, nothing = prediction.to(device), Interactions.empty(batch, (side, side), device)
    rng = np.random.default_rng(0)

    def users() -> None:
        random = TrainingClicks()(mask, on_device, nothing, 0)
        RandomInError()(mask, on_device, random, 1)
        _wait(device)

    def loop() -> None:
        clicks = []
        parts = (mask, on_device.target, on_device.others)
        for wrong, target, others in zip(*(part.cpu().numpy()[:, 0] for part in parts), strict=True):
            clicks += [_inside(target, rng), _outside(target, others, rng), _in_error(wrong, target, rng)]
        torch.tensor(np.array(clicks), device=device)
        _wait(device)

    ours_s, limit_s = best_of_each([users, loop], repeats=10)
    return [
        Row(f"clicks of a training step {batch}x{side}x{side}, {device}", ours_s, limit_s, "OpenCV, a sample at a time")
    ]


def _inside(target: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random pixels of the eroded target, as released data loaders draw them."""
    eroded = np.argwhere(cv2.erode(target.view(np.uint8), np.ones((3, 3), np.uint8), iterations=3))
    return rng.choice(eroded if len(eroded) else np.argwhere(target), POINTS)


def _outside(target: np.ndarray, others: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random pixels of the background, of other objects and of a ring around the target."""
    width = int(np.ceil(0.1 * np.sqrt(target.sum())))
    ring = cv2.dilate(target.view(np.uint8), np.ones((3, 3), np.uint8), iterations=width).view(bool) & ~target
    kinds = [np.argwhere(kind) for kind in (~target & ~others, others, ring)]
    return np.array([rng.choice(kinds[k]) for k in rng.choice(3, POINTS, p=(0.1, 0.4, 0.5))])


def _in_error(mask: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random pixel deep inside the larger error, as often as the others are."""
    errors = [np.pad(error, 1).view(np.uint8) for error in (target & ~mask, mask & ~target)]
    distances = [cv2.distanceTransform(error, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1] for error in errors]
    larger = max(distances, key=np.max)
    inside = np.argwhere(larger > larger.max() / 2)
    return np.repeat(rng.choice(inside, 1), POINTS, 0)


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()

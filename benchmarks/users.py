"""Simulated users beside the bare library calls they can't do without, or what RITM's release does in their place."""

import time
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import torch
from skimage.morphology import skeletonize

from benchmarks import released
from benchmarks.common import Row, best_of, best_of_each, one_thread
from zoo.interactions import Interactions
from zoo.ops import distance_transform
from zoo.users import (
    NextClick,
    OtherObjects,
    RandomInError,
    RandomInside,
    SimulatedUser,
    Squiggle,
    TrainingClicks,
    Truth,
)


def run() -> list[Row]:
    """Time users on 32 samples of 128x128, as in training, and the next click on one of 1000x1000.

    What trains click networks is timed in CPU time of one thread; and on the GPU, if there is one, beside the same loop
    with masks copied to the CPU and clicks back.
    """
    with one_thread():
        rows = [*_users(32, 128, "all"), *_users(1, 1000, "next click"), _exactness(16, 384)]
        devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
        return rows + [row for device in devices for row in _training(16, 384, device)]


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
    """The clicks of a training step beside RITM's: random ones, and one that answers a mask."""
    truth, *masks = _glands(batch, side)
    on_device, nothing = truth.to(device), Interactions.empty(batch, (side, side), device)
    rng = np.random.RandomState(0)
    first = TrainingClicks()(on_device.target, on_device, nothing, 0)

    def ours(user: SimulatedUser, mask: torch.Tensor, so_far: Interactions) -> None:
        user(mask, on_device, so_far, 1)
        _wait(device)

    def theirs(click: Callable[..., np.ndarray], *parts: torch.Tensor) -> None:
        samples = zip(*(part.cpu().numpy()[:, 0] for part in parts), strict=True)
        torch.from_numpy(np.stack([click(*sample, rng) for sample in samples])).to(device)
        _wait(device)

    target = on_device.target
    random = partial(theirs, released.first_clicks, on_device.instances, target)
    calls = [("first clicks", partial(ours, TrainingClicks(), target, nothing), random)]
    for name, mask in zip(("a mask a little off", "nothing", "a wild mask"), masks, strict=True):
        shown = mask.to(device)
        answer = partial(theirs, released.next_click, shown, target)
        calls.append((f"click on {name}", partial(ours, RandomInError(), shown, first), answer))
    clock = time.process_time if device == "cpu" else time.perf_counter
    rows = []
    for name, *pair in calls:
        ours_s, limit_s = best_of_each(pair, 10, clock=clock)
        rows.append(Row(f"{name} {batch}x{side}x{side}, {device}", ours_s, limit_s, "RITM's release"))
    return rows


def _exactness(batch: int, side: int) -> Row:
    """Exact distances in errors beside those over 5x5 pixels, of the same masks."""
    truth, *_, wild = _glands(batch, side)
    errors = torch.cat([truth.target & ~wild, wild & ~truth.target])[:, 0]

    def approximate() -> None:
        for error in errors.numpy():
            released.distance(error)

    ours_s, limit_s = best_of_each(
        [lambda: distance_transform(errors, border=True), approximate], 10, clock=time.process_time
    )
    return Row(
        f"exact distances in wild masks' errors {2 * batch}x{side}x{side}", ours_s, limit_s, "cv2's, over 5x5 pixels"
    )


def _glands(batch: int, side: int) -> tuple[Truth, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Large blobs, the largest one of each sample as the target; three masks: a little off, empty, and other blobs."""
    rng = np.random.default_rng(0)
    noise = rng.random((2, batch, side, side), dtype=np.float32)
    noise = np.stack([[cv2.GaussianBlur(each, (0, 0), side / 20) for each in half] for half in noise])
    blobs = noise > np.quantile(noise, 0.8, (2, 3), keepdims=True)
    labels = np.stack([cv2.connectedComponents(blob.view(np.uint8))[1] for blob in blobs[0]])
    object_id = np.array([np.bincount(label.ravel())[1:].argmax() + 1 for label in labels])
    target = torch.from_numpy(labels == object_id[:, None, None])[:, None]
    instances = torch.from_numpy(labels.astype(np.int64))[:, None]
    truth = Truth(target, torch.arange(batch), instances, torch.from_numpy(object_id))
    off = target.roll((side // 64, side // 64), (2, 3))
    return truth, off, torch.zeros_like(target), torch.from_numpy(blobs[1])[:, None]


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()

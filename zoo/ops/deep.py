"""The deepest of several masks, and a pixel far from its border."""

import math

import cv2
import numpy as np
import torch
from torch import Tensor

from zoo.ops.device import use_torch
from zoo.ops.distance import distance_transform, rounded, with_border
from zoo.ops.extent import bounding_box
from zoo.ops.random import choose_pixel

_NEAR = 1 - 1e-5
"""More than OpenCV's roots are off by, and less than two different distances differ."""


def choose_deep(masks: Tensor, left_out: Tensor, depth: float, u: Tensor) -> tuple[Tensor, Tensor]:
    """Choose a pixel of each sample's mask that reaches farthest from its border, the image's edge included.

    Distances are exact, and so the pixel is the same on every device. On a CPU only the smallest box around a mask is
    looked at, outside of which nothing changes a distance.

    Args:
        masks: (G,B,H,W) bool. Of masks that reach equally far the first counts.
        left_out: (B,H,W) bool, pixels whose distance is taken for 0.
        depth: in 0..1; a pixel is chosen from those whose distance exceeds this share of the largest, which itself is
            always among them.
        u: (B,) float64 in [0, 1): the floor(u * count)-th of them in raster order is chosen.

    Returns:
        x, y of the pixel's centre, (B,2) float32, and which mask it is of, (B,) int64; -1, and any place, where no mask
        has a pixel that is not left out.
    """
    if use_torch(masks):
        return _together(masks, left_out, depth, u)
    xy, which = torch.zeros(len(u), 2), torch.full((len(u),), -1)
    for i, (out, number) in enumerate(zip(left_out.numpy(), u.tolist(), strict=True)):
        found = _one([np.ascontiguousarray(mask[i]) for mask in masks.numpy()], out, depth, number)
        if found is not None:
            which[i], xy[i, 0], xy[i, 1] = found
    return xy, which


def _together(masks: Tensor, left_out: Tensor, depth: float, u: Tensor) -> tuple[Tensor, Tensor]:
    distance = distance_transform(masks.flatten(0, 1), border=True).view(masks.shape).masked_fill(left_out, 0)
    greatest = distance.flatten(2).amax(2)
    # argmax of equal values may return any of them.
    farthest = greatest.amax(0)
    which = (greatest == farthest).int().cumsum(0).eq(0).sum(0)
    deepest = distance[0]
    for k in range(1, len(masks)):
        deepest = torch.where((which == k)[:, None, None], distance[k], deepest)
    farthest = farthest[:, None, None]
    xy, _ = choose_pixel((deepest > depth * farthest) | (deepest == farthest), u)
    return xy, which.masked_fill(greatest.amax(0) == 0, -1)


def _one(masks: list[np.ndarray], left_out: np.ndarray, depth: float, u: float) -> tuple[int, float, float] | None:
    """Which mask, x and y, of one sample; None where nothing is left."""
    greatest, found = np.float32(0), None
    # The larger one first: that the other does not reach as far is mostly seen without its distances.
    for k in sorted(range(len(masks)), key=lambda k: -cv2.countNonZero(masks[k].view(np.uint8))):
        box = bounding_box(masks[k])
        if box is None or not _may_reach(masks[k][box], float(greatest)):
            continue
        distance = with_border(masks[k][box])
        distance[left_out[box]] = 0
        farthest = rounded(distance.max(keepdims=True))[0, 0]
        if farthest > greatest or (found is not None and farthest == greatest and k < found[0]):
            greatest, found = farthest, (k, box, distance)
    if found is None:
        return None
    which, (rows, columns), distance = found
    # Roots are rounded where it matters only.
    near = np.flatnonzero(distance >= np.float32(depth * _NEAR) * greatest)
    exact = rounded(distance.ravel()[near])
    near = near[(exact > np.float32(depth) * greatest) | (exact == greatest)]
    row, column = divmod(int(near[min(int(u * len(near)), len(near) - 1)]), distance.shape[1])
    return which, columns.start + column + 0.5, rows.start + row + 0.5


def _may_reach(mask: np.ndarray, distance: float) -> bool:
    """False where no pixel of an (H,W) bool array, around which all is False, is that far from its border."""
    # The square whose corners are nearer than that would have to fit in.
    side = 2 * max(0, math.ceil(distance / math.sqrt(2) - 1e-3) - 1) + 1
    if side == 1 or side > min(mask.shape):
        return side == 1
    square, part = np.ones((side, side), np.uint8), mask.view(np.uint8)
    return bool(cv2.erode(part, square, borderType=cv2.BORDER_CONSTANT, borderValue=0).any())

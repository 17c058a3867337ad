"""Exact Euclidean distance transforms of masks, batched."""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.ops.device import check_mask, per_sample, use_torch

# Larger than any squared distance in an image, and its sum with one still fits int32.
_FAR = 2**29
# Elements of the largest temporary on an accelerator: 128 MB of int32.
_CHUNK = 2**25


def distance_transform(mask: Tensor, border: bool = False) -> Tensor:
    """Distance of every True pixel to the nearest False pixel of its sample, centre to centre.

    Exact: the correctly rounded roots of whole numbers, as long as distances stay below 1024 pixels, so that a
    maximum is the same pixel on every device. An approximation would move simulated clicks.

    Args:
        mask: (B,H,W) bool.
        border: whether what lies outside of the image counts as False (a border of one pixel).

    Returns:
        (B,H,W) float32 in pixels; 0 at False pixels and inf where a sample has no False pixel (never with `border`).
    """
    check_mask(mask)
    if border:
        padded = F.pad(mask, (1, 1, 1, 1))
        return distance_transform(padded)[:, 1:-1, 1:-1].contiguous()
    return _squared(mask).sqrt() if use_torch(mask) else per_sample(_opencv, mask, torch.float32)


def distance_to(mask: Tensor) -> Tensor:
    """Distance of every pixel to the nearest True pixel: (B,H,W) bool to (B,H,W) float32, inf if there is none."""
    return distance_transform(~mask)


def _opencv(mask: np.ndarray) -> np.ndarray:
    if mask.all():
        return np.full(mask.shape, np.inf, np.float32)
    distance: np.ndarray = cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # OpenCV's roots are off by the last bit for some image sizes; their squares are whole numbers.
    np.square(distance, out=distance)
    np.rint(distance, out=distance)
    np.sqrt(distance, out=distance)
    return distance


def _squared(mask: Tensor) -> Tensor:
    """Squared distances (B,H,W) float32: along columns by running maxima, then the best column of every row."""
    batch, height, width = mask.shape
    row = torch.arange(height, dtype=torch.int32, device=mask.device).view(1, -1, 1)
    # A squared distance of 2^14 pixels and more can't be told from 'none' in int32.
    none = 2**14
    above = row - torch.where(mask, -none, row).cummax(dim=1).values
    below = torch.where(mask, none, row).flip(1).cummin(dim=1).values.flip(1) - row
    vertical = torch.minimum(above, below).clamp(max=none).square().where(~mask.all(1, keepdim=True), _FAR)

    column = torch.arange(width, dtype=torch.int32, device=mask.device)
    horizontal = (column[:, None] - column).square()
    rows = vertical.reshape(batch * height, width)
    parts = torch.split(rows, max(1, _CHUNK // width**2))
    best = torch.cat([(part[:, None, :] + horizontal).amin(-1) for part in parts]) if rows.numel() else rows
    squared = best.view(batch, height, width)
    return squared.float().masked_fill(squared >= _FAR, torch.inf)

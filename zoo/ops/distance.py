"""Exact Euclidean distance transforms of masks, batched."""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.ops.device import check_mask, use_torch
from zoo.ops.extent import bounding_box

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
    if use_torch(mask):
        return _padded(mask) if border else _root(_squared(mask))
    out = torch.zeros(mask.shape)
    for sample, result in zip(mask.numpy(), out.numpy(), strict=True):
        _opencv(np.ascontiguousarray(sample), border, result)
    return out


def distance_to(mask: Tensor) -> Tensor:
    """Distance of every pixel to the nearest True pixel: (B,H,W) bool to (B,H,W) float32, inf if there is none."""
    return distance_transform(~mask)


def _padded(mask: Tensor) -> Tensor:
    """With a border of one pixel around the image."""
    return _root(_squared(F.pad(mask, (1, 1, 1, 1)))[:, 1:-1, 1:-1])


def _root(squared: Tensor) -> Tensor:
    """Correctly rounded float32: on some CPUs torch's single precision is off by the last bit. MPS has no other."""
    return squared.sqrt() if squared.device.type == "mps" else squared.double().sqrt().float()


def _opencv(mask: np.ndarray, border: bool, out: np.ndarray) -> None:
    """Write the distances of an (H,W) bool mask into `out`, which is 0."""
    box = bounding_box(mask)
    if box is None:
        return
    if not border:
        # Of all False pixels outside the smallest box the nearest are those around it.
        box = (_wider(box[0], mask.shape[0]), _wider(box[1], mask.shape[1]))
        if mask[box].all():
            out[...] = np.inf
            return
        distance = cv2.distanceTransform(mask[box].view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    else:
        distance = with_border(mask[box])
    out[box] = rounded(distance)


def with_border(mask: np.ndarray) -> np.ndarray:
    """OpenCV's distances of an (H,W) bool array, around which all is False: exact but for the last bit, see `rounded`.

    Contiguous float32 of its own.
    """
    part = cv2.copyMakeBorder(mask.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    distance: np.ndarray = cv2.distanceTransform(part, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distance[1:-1, 1:-1].copy()


def rounded(distance: np.ndarray) -> np.ndarray:
    """OpenCV's roots are off by the last bit for some image sizes; their squares are whole numbers."""
    out: np.ndarray = np.sqrt(np.rint(np.square(distance)))
    return out


def _wider(part: slice, length: int) -> slice:
    """With one pixel more on each side, within the image."""
    return slice(max(part.start - 1, 0), min(part.stop + 1, length))


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

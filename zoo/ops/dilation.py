"""Square dilation and erosion of masks, with a radius of each sample's own."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.ops.device import check_mask, use_torch


def dilate(mask: Tensor, radius: Tensor) -> Tensor:
    """The pixels within `radius` rows and columns of a True pixel of their sample.

    Args:
        mask: (B,H,W) bool.
        radius: (B,) int64, in pixels; r is as much as r dilations by 3x3 pixels.

    Returns:
        (B,H,W) bool. What lies outside of the image is False.
    """
    check_mask(mask)
    return _running_sums(mask, radius) if use_torch(mask) else _opencv(cv2.dilate, mask, radius)


def erode(mask: Tensor, radius: Tensor) -> Tensor:
    """The pixels without a False pixel within `radius` rows and columns; the image's edge is no border."""
    check_mask(mask)
    return ~_running_sums(~mask, radius) if use_torch(mask) else _opencv(cv2.erode, mask, radius)


def _opencv(operation: Callable[..., Any], mask: Tensor, radius: Tensor) -> Tensor:
    out = torch.empty_like(mask, memory_format=torch.contiguous_format)
    if mask.numel():
        for sample, result, r in zip(mask.numpy(), out.numpy(), radius.tolist(), strict=True):
            # Farther than the image is wide there is nothing.
            sides = [2 * min(r, length) + 1 for length in sample.shape]
            operation(np.ascontiguousarray(sample).view(np.uint8), np.ones(sides, np.uint8), result.view(np.uint8))
    return out


def _running_sums(mask: Tensor, radius: Tensor) -> Tensor:
    """`dilate` on accelerators."""
    # How many True pixels there are in a window comes from a running sum, whatever the window's length. First along
    # rows, then, transposed, along columns: memory is read in order both times.
    for _ in range(2):
        length = mask.shape[2]
        place = torch.arange(length, device=mask.device)
        ends = torch.stack([place - radius[:, None], place + radius[:, None] + 1]).clamp(0, length)
        sums = F.pad(mask.cumsum(2, dtype=torch.int32), (1, 0))
        low, high = (sums.gather(2, end[:, None].expand(mask.shape)) for end in ends)
        mask = (high > low).transpose(1, 2).contiguous()
    return mask

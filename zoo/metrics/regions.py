"""Overlap of masks, in torch, so that nothing leaves the device."""

from __future__ import annotations

import torch
from torch import Tensor


def overlap_pixels(mask: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
    """(B, 3) float64: pixels in both, in the mask, in the target; all (B, 1, H, W) bool, `ignore` counts nowhere."""
    if ignore is not None:
        mask, target = mask & ~ignore, target & ~ignore
    mask, target = mask.flatten(1), target.flatten(1)
    return torch.stack([(mask & target).sum(1), mask.sum(1), target.sum(1)], 1).double()


def region_iou(pixels: Tensor) -> Tensor:
    """(B,) float64 intersection over union of `overlap_pixels`; 1 where both are empty."""
    both, mask, target = pixels.unbind(1)
    union = mask + target - both
    return torch.where(union > 0, both / union.clamp(min=1), 1.0)


def region_dice(pixels: Tensor) -> Tensor:
    """(B,) float64 Dice coefficients of `overlap_pixels`; 1 where both are empty."""
    both, mask, target = pixels.unbind(1)
    total = mask + target
    return torch.where(total > 0, 2 * both / total.clamp(min=1), 1.0)

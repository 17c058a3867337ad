"""Connected components of masks and what is built on them, batched; samples never touch each other."""

from typing import Literal

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.ops.device import check_mask, per_sample, use_torch

Connectivity = Literal[4, 8]


def connected_components(mask: Tensor, connectivity: Connectivity = 8) -> Tensor:
    """Label the components of every sample: (B,H,W) bool to (B,H,W) int64.

    0 is background; a sample's components are 1..n in the raster order of their first pixels, on every device.
    """
    check_mask(mask)
    if use_torch(mask):
        return _label(mask, connectivity)
    return per_sample(lambda sample: _opencv(sample, connectivity), mask, torch.int64)


def component_areas(labels: Tensor) -> Tensor:
    """Pixels of every component: (B,H,W) int64 labels to (B,n+1) int64, n the largest label of the batch.

    Column 0 is the background.
    """
    batch = len(labels)
    number = int(labels.max()) + 1 if labels.numel() else 1
    offset = torch.arange(batch, device=labels.device).view(-1, 1, 1) * number
    return (labels + offset).flatten().bincount(minlength=batch * number).view(batch, number)


def keep_components(labels: Tensor, keep: Tensor) -> Tensor:
    """Pixels whose component is kept: labels (B,H,W) int64 and keep (B,n+1) bool to (B,H,W) bool."""
    return keep.gather(1, labels.flatten(1)).view(labels.shape)


def largest_component(mask: Tensor, connectivity: Connectivity = 8) -> Tensor:
    """Keep every sample's largest component (the first in raster order of equal ones): (B,H,W) bool to the same."""
    labels = connected_components(mask, connectivity)
    areas = component_areas(labels)
    areas[:, 0] = 0
    number = torch.arange(areas.shape[1], device=mask.device)
    # A smaller label wins a tie; argmax alone leaves open which one it returns.
    best = (areas * (len(number) + 1) - number).argmax(1, keepdim=True)
    return (labels == best.unsqueeze(-1)) & mask


def remove_small(mask: Tensor, min_size: int, connectivity: Connectivity = 8) -> Tensor:
    """Drop components with fewer than `min_size` pixels: (B,H,W) bool to the same."""
    check_mask(mask)
    if min_size <= 1:
        return mask.clone()
    labels = connected_components(mask, connectivity)
    return keep_components(labels, component_areas(labels) >= min_size) & mask


def fill_holes(mask: Tensor, smaller_than: int | None = None, connectivity: Connectivity = 8) -> Tensor:
    """Fill background that does not reach the image border: (B,H,W) bool to the same.

    Args:
        mask: (B,H,W) bool.
        smaller_than: fill only holes with fewer pixels; None fills them all.
        connectivity: that of the objects; background is connected the other way (4 with 8, 8 with 4).
    """
    check_mask(mask)
    if smaller_than is not None and smaller_than <= 1:
        return mask.clone()
    labels = connected_components(~mask, 4 if connectivity == 8 else 8)
    areas = component_areas(labels)
    fill = torch.ones_like(areas, dtype=torch.bool) if smaller_than is None else areas < smaller_than
    edges = torch.cat([labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1]], dim=1)
    fill = fill.scatter(1, edges, False)
    return mask | (keep_components(labels, fill) & ~mask)


def reconstruct(marker: Tensor, mask: Tensor, connectivity: Connectivity = 8) -> Tensor:
    """Keep the components of `mask` that `marker` touches (morphological reconstruction): (B,H,W) bool each."""
    labels = connected_components(mask, connectivity)
    number = component_areas(labels).shape[1]
    touched = torch.zeros(len(labels), number, dtype=torch.bool, device=mask.device)
    touched.scatter_(1, torch.where(marker, labels, 0).flatten(1), True)
    return keep_components(labels, touched) & mask


def _opencv(mask: np.ndarray, connectivity: Connectivity) -> np.ndarray:
    # SAUF numbers components by their first pixels; OpenCV's default scans blocks of pixels and need not.
    _, labels = cv2.connectedComponentsWithAlgorithm(mask.view(np.uint8), connectivity, cv2.CV_32S, cv2.CCL_SAUF)
    numbered: np.ndarray = labels
    return numbered


def _label(mask: Tensor, connectivity: Connectivity) -> Tensor:
    """Union-find in parallel: hook every tree to its smallest neighbour, then halve the paths, until all agree."""
    # In 32 bits accelerators have an instruction for the smallest of many values at one place; in 64 bits threads that
    # meet there repeat themselves until each was alone, which takes a hundred times as long.
    index = torch.arange(mask.numel(), device=mask.device)
    none = mask.numel()
    flat = mask.flatten()
    parent = index.where(flat, none).int()
    parent = torch.cat([parent, parent.new_tensor([none])])
    while True:
        smallest = _neighbour_minimum(parent[:-1].view(mask.shape), none, connectivity)
        smallest = torch.where(mask, smallest, none).flatten()
        # Background writes to itself: all of it at one place would wait for each other.
        place = torch.where(flat, parent[:-1].long(), index)
        hooked = parent.scatter_reduce(0, place, smallest, "amin")
        hooked = hooked[hooked.long()]
        hooked = hooked[hooked.long()]
        if torch.equal(hooked, parent):
            break
        parent = hooked
    parent = parent.long()
    root = (parent[:-1] == index).view(mask.shape)
    rank = root.flatten(1).cumsum(1).flatten()
    rank = torch.cat([rank, rank.new_zeros(1)])
    return rank[parent[:-1]].view(mask.shape)


def _neighbour_minimum(values: Tensor, none: int, connectivity: Connectivity) -> Tensor:
    """Smallest value among a pixel and its neighbours: (B,H,W) integers to the same."""
    padded = F.pad(values, (1, 1, 1, 1), value=none)
    rows = torch.minimum(torch.minimum(padded[:, :-2], padded[:, 2:]), padded[:, 1:-1])
    if connectivity == 8:
        return torch.minimum(torch.minimum(rows[:, :, :-2], rows[:, :, 2:]), rows[:, :, 1:-1])
    inner = padded[:, 1:-1]
    return torch.minimum(torch.minimum(inner[:, :, :-2], inner[:, :, 2:]), rows[:, :, 1:-1])

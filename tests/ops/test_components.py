from collections import deque
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from scipy import ndimage
from skimage import measure, morphology
from torch import Tensor

from tests.helpers.masks import adversarial, batches, stacked, thin
from zoo.errors import ConfigError
from zoo.ops import (
    component_areas,
    connected_components,
    fill_holes,
    largest_component,
    reconstruct,
    remove_small,
)
from zoo.ops.device import pure_torch

PATHS = pytest.mark.usefixtures("either_path")
CONNECTIVITY = pytest.mark.parametrize("connectivity", [4, 8])
BATCHES = [stacked(), *thin()]


def structure(connectivity: int) -> np.ndarray:
    return ndimage.generate_binary_structure(2, 1 if connectivity == 4 else 2)


def flood(mask: np.ndarray, connectivity: int) -> np.ndarray:
    """Label in raster order by flooding from each unlabelled pixel."""
    labels = np.zeros(mask.shape, np.int64)
    steps = [(r - 1, c - 1) for r, c in np.argwhere(structure(connectivity))]
    for start in zip(*np.nonzero(mask), strict=True):
        if labels[start]:
            continue
        label = labels.max() + 1
        labels[start] = label
        queue = deque([start])
        while queue:
            row, column = queue.popleft()
            for dr, dc in steps:
                r, c = row + dr, column + dc
                inside = 0 <= r < mask.shape[0] and 0 <= c < mask.shape[1]
                if inside and mask[r, c] and not labels[r, c]:
                    labels[r, c] = label
                    queue.append((r, c))
    return labels


@PATHS
@CONNECTIVITY
@pytest.mark.parametrize("masks", BATCHES, ids=["batch", "row", "column", "pixel"])
def test_labels_equal_flooding(masks: Tensor, connectivity: int) -> None:
    labels = connected_components(masks, connectivity)  # type: ignore[arg-type]
    assert labels.dtype == torch.int64
    for ours, mask in zip(labels.numpy(), masks.numpy(), strict=True):
        np.testing.assert_array_equal(ours, flood(mask, connectivity))


@given(batches)
@settings(max_examples=60, deadline=None)
def test_labels_equal_scikit_image_on_any_mask(masks: np.ndarray) -> None:
    for connectivity in (4, 8):
        for path in (nullcontext, pure_torch):
            with path():
                labels = connected_components(torch.from_numpy(masks), connectivity)  # type: ignore[arg-type]
            for ours, mask in zip(labels.numpy(), masks, strict=True):
                np.testing.assert_array_equal(ours, flood(mask, connectivity))
                assert ours.max() == measure.label(mask, connectivity=connectivity // 4).max()


def test_large_random_masks_agree_between_paths() -> None:
    """A batch as in training: samples of every density, and paths that wind through the whole image."""
    density = np.linspace(0.02, 0.98, 20)[:, None, None]
    masks = torch.from_numpy(np.random.default_rng(0).random((20, 120, 110)) < density)
    spirals = torch.stack([adversarial(120, 110)["spiral"], ~adversarial(120, 110)["spiral"]])
    masks = torch.cat([masks, spirals])
    for connectivity in (4, 8):
        cpu = connected_components(masks, connectivity)  # type: ignore[arg-type]
        with pure_torch():
            ours = connected_components(masks, connectivity)  # type: ignore[arg-type]
        assert ours.dtype == torch.int64
        assert torch.equal(cpu, ours)


@PATHS
@pytest.mark.parametrize("size", [-1, 0, 1])
def test_what_removes_nothing_returns_another_tensor(size: int) -> None:
    masks = stacked()
    for out in (remove_small(masks, size), fill_holes(masks, smaller_than=size)):
        assert torch.equal(out, masks)
        out.logical_not_()
        assert torch.equal(masks, stacked())


@pytest.mark.parametrize("size", [1, 2])
def test_what_is_no_mask_is_refused_whatever_the_size(size: int) -> None:
    for function in (remove_small, fill_holes):
        with pytest.raises(ConfigError, match="pass a"):
            function(torch.ones(1, 4, 4), size)


@PATHS
def test_areas() -> None:
    labels = connected_components(stacked())
    areas = component_areas(labels)
    for sample, ours in zip(labels.numpy(), areas.numpy(), strict=True):
        np.testing.assert_array_equal(ours, np.bincount(sample.ravel(), minlength=areas.shape[1]))


@PATHS
@CONNECTIVITY
def test_largest_component(connectivity: int) -> None:
    masks = stacked()
    out = largest_component(masks, connectivity)  # type: ignore[arg-type]
    for ours, mask in zip(out.numpy(), masks.numpy(), strict=True):
        labels = flood(mask, connectivity)
        areas = np.bincount(labels.ravel())[1:]
        expected = labels == 1 + areas.argmax() if len(areas) else mask
        np.testing.assert_array_equal(ours, expected)


@PATHS
@CONNECTIVITY
@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_remove_small(size: int, connectivity: int) -> None:
    masks = stacked()
    out = remove_small(masks, size, connectivity)  # type: ignore[arg-type]
    for ours, mask in zip(out.numpy(), masks.numpy(), strict=True):
        expected = np.zeros_like(mask)
        for region in measure.regionprops(measure.label(mask, connectivity=connectivity // 4)):
            if region.area >= size:
                expected[tuple(region.coords.T)] = True
        np.testing.assert_array_equal(ours, expected)


@PATHS
@CONNECTIVITY
def test_fill_holes(connectivity: int) -> None:
    masks = stacked()
    out = fill_holes(masks, connectivity=connectivity)  # type: ignore[arg-type]
    for ours, mask in zip(out.numpy(), masks.numpy(), strict=True):
        np.testing.assert_array_equal(ours, ndimage.binary_fill_holes(mask, structure(12 - connectivity)))


@PATHS
def test_fill_only_small_holes() -> None:
    mask = torch.ones(1, 12, 12, dtype=torch.bool)
    mask[0, 2:4, 2:4] = mask[0, 6:9, 6:9] = mask[0, 0, 5] = False
    expected = mask.clone()
    expected[0, 2:4, 2:4] = True
    assert torch.equal(fill_holes(mask, 9), expected)
    assert torch.equal(fill_holes(mask, 4), mask)


@PATHS
@CONNECTIVITY
def test_reconstruct(connectivity: int) -> None:
    masks = stacked()
    marker = torch.from_numpy(np.random.default_rng(3).random(masks.shape) < 0.02)
    out = reconstruct(marker, masks, connectivity)  # type: ignore[arg-type]
    for ours, seeds, mask in zip(out.numpy(), marker.numpy(), masks.numpy(), strict=True):
        seed, limit = (seeds & mask).astype(np.uint8), mask.astype(np.uint8)
        expected = morphology.reconstruction(seed, limit, footprint=structure(connectivity))
        np.testing.assert_array_equal(ours, expected.astype(bool))


@PATHS
def test_neighbouring_samples_are_not_connected() -> None:
    masks = torch.zeros(3, 8, 8, dtype=torch.bool)
    masks[0, 2:4, 2:4] = True
    masks[1, 3:7, 3:7] = True
    marker = torch.zeros_like(masks)
    marker[0, 2, 2] = True
    assert torch.equal(reconstruct(marker, masks).sum((1, 2)), torch.tensor([4, 0, 0]))
    assert torch.equal(remove_small(masks, 10).sum((1, 2)), torch.tensor([0, 16, 0]))

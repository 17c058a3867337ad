import numpy as np
import pytest
import torch
from hypothesis import given, settings
from skimage import measure
from skimage.morphology import skeletonize as scikit_image
from torch import Tensor

from tests.helpers.masks import batches, stacked, thin
from zoo.ops import skeletonize
from zoo.ops.device import pure_torch

PATHS = pytest.mark.usefixtures("either_path")


def check(masks: Tensor) -> None:
    out = skeletonize(masks)
    assert out.dtype == torch.bool
    for ours, mask in zip(out.numpy(), masks.numpy(), strict=True):
        np.testing.assert_array_equal(ours, scikit_image(mask))


@PATHS
@pytest.mark.parametrize("masks", [stacked(), *thin()], ids=["batch", "row", "column", "pixel"])
def test_equals_scikit_image(masks: Tensor) -> None:
    before = masks.clone()
    check(masks)
    assert torch.equal(masks, before)


@given(batches)
@settings(max_examples=60, deadline=None)
def test_equals_scikit_image_on_any_mask(masks: np.ndarray) -> None:
    with pure_torch():
        check(torch.from_numpy(masks))


def test_equals_scikit_image_on_every_neighbourhood() -> None:
    """All 512 masks of 3x3 pixels, alone and each amid a larger random object."""
    bits = torch.arange(512)[:, None] >> torch.arange(9) & 1
    small = bits.view(512, 3, 3).bool()
    amid = torch.from_numpy(np.random.default_rng(0).random((512, 11, 11)) < 0.75)
    amid[:, 4:7, 4:7] = small
    with pure_torch():
        check(small)
        check(amid)


@PATHS
def test_skeleton_of_blobs_keeps_the_objects_apart_and_whole() -> None:
    row, column = np.mgrid[:80, :100]
    blob = ((row - 30) ** 2 / 400 + (column - 30) ** 2 / 100 < 1) | ((row - 55) ** 2 + (column - 70) ** 2 < 200)
    out = skeletonize(torch.from_numpy(blob)[None])[0].numpy()
    assert not (out & ~blob).any()
    assert measure.label(out, connectivity=2).max() == measure.label(blob, connectivity=2).max() == 2
    assert out.sum() < 60

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from scipy import ndimage
from torch import Tensor

from tests.helpers.masks import adversarial, batches, stacked, thin
from zoo.errors import ConfigError
from zoo.ops import argmax_pixel, distance_to, distance_transform
from zoo.ops.device import pure_torch, use_torch

PATHS = pytest.mark.usefixtures("either_path")


def scipy_reference(mask: np.ndarray, border: bool) -> np.ndarray:
    if border:
        return ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return np.full(mask.shape, np.inf) if mask.all() else ndimage.distance_transform_edt(mask)


def check(masks: Tensor, border: bool) -> None:
    out = distance_transform(masks, border)
    assert out.dtype == torch.float32
    assert out.shape == masks.shape
    for sample, mask in zip(out.numpy(), masks.numpy(), strict=True):
        expected = scipy_reference(mask, border)
        np.testing.assert_allclose(sample, expected, atol=1e-4)
        # The clicks of a user are maxima: these must be the same pixels.
        assert sample.argmax() == expected.argmax()


@PATHS
@pytest.mark.parametrize("border", [False, True])
@pytest.mark.parametrize("masks", [stacked(), *thin()], ids=["batch", "row", "column", "pixel"])
def test_equals_scipy(masks: Tensor, border: bool) -> None:
    check(masks, border)


@given(batches)
@settings(max_examples=60, deadline=None)
def test_equals_scipy_on_any_mask(masks: np.ndarray) -> None:
    for path in (nullcontext, pure_torch):
        with path():
            check(torch.from_numpy(masks), False)
            check(torch.from_numpy(masks), True)


@PATHS
def test_large_distances() -> None:
    masks = torch.ones(2, 300, 700, dtype=torch.bool)
    masks[0, 299, 0] = False
    masks[1, 13, 57] = masks[1, 205, 640] = False
    check(masks, False)
    check(masks, True)


def test_both_paths_are_equal_to_the_bit() -> None:
    masks = torch.from_numpy(
        np.random.default_rng(0).random((4, 97, 131)) < np.array([0.5, 0.9, 0.99, 0.999])[:, None, None]
    )
    for border in (False, True):
        cpu = distance_transform(masks, border)
        with pure_torch():
            assert torch.equal(cpu, distance_transform(masks, border))
        assert torch.equal(cpu, torch.cat([distance_transform(m[None], border) for m in masks]))
        # every squared distance is a whole number, so equal distances are equal floats
        squared = cpu.double().square()
        assert torch.equal(cpu, squared.round().sqrt().float())


@PATHS
def test_distance_to() -> None:
    for name, mask in adversarial().items():
        out = distance_to(mask[None])[0].numpy()
        points = np.argwhere(mask.numpy())
        if name == "empty":
            assert np.isposinf(out).all()
            continue
        pixels = np.argwhere(np.ones(mask.shape))
        expected = np.sqrt(((pixels[:, None] - points[None]) ** 2).sum(-1).min(1)).reshape(mask.shape)
        np.testing.assert_allclose(out, expected, atol=1e-4)


@PATHS
def test_full_mask_is_infinite_without_border_and_finite_with_it() -> None:
    full = torch.ones(1, 3, 5, dtype=torch.bool)
    assert distance_transform(full).isposinf().all()
    assert distance_transform(full, True).max() == 2


@pytest.mark.parametrize("mask", [torch.ones(3, 3, dtype=torch.bool), torch.ones(1, 3, 3)])
def test_wrong_masks_are_named_errors(mask: Tensor) -> None:
    with pytest.raises(ConfigError, match=r"\(B,H,W\) bool"):
        distance_transform(mask)


def test_argmax_is_the_first_in_raster_order() -> None:
    values = torch.zeros(3, 4, 6)
    values[0, 2, 5] = values[0, 3, 0] = 7
    values[1, 1, 1] = -1
    values[2] = -torch.inf
    assert argmax_pixel(values).tolist() == [[5.5, 2.5], [0.5, 0.5], [0.5, 0.5]]
    rng = np.random.default_rng(0).integers(0, 4, (50, 5, 7))
    row, column = np.unravel_index(rng.reshape(50, -1).argmax(1), (5, 7))
    expected = np.stack([column, row], 1) + 0.5
    np.testing.assert_array_equal(argmax_pixel(torch.from_numpy(rng)).numpy(), expected)


def test_the_torch_path_runs_within_pure_torch_alone() -> None:
    mask = torch.ones(1, 2, 3, dtype=torch.bool)
    assert not use_torch(mask)
    with pure_torch():
        with pure_torch():
            assert use_torch(mask)
        assert use_torch(mask)
    assert not use_torch(mask)
    with pytest.raises(ConfigError), pure_torch():
        distance_transform(mask[0])
    assert not use_torch(mask)
    assert use_torch(mask.to("meta"))

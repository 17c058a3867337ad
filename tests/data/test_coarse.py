"""Masks as if of a lower magnification."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from zoo.data import CoarseMasks
from zoo.errors import ConfigError
from zoo.users import Truth

SIZE = (90, 128)


def truth(batch: int = 12, step: int = 3) -> Truth:
    """Disks of several sizes; the first sample has none, and the second is full."""
    rows, columns = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    target = torch.stack([(rows - 45) ** 2 + (columns - 50) ** 2 <= (12 + 2 * i) ** 2 for i in range(batch)])[:, None]
    target[0], target[1] = False, True
    return Truth(target, torch.arange(batch), step=torch.full((batch,), step))


def iou(mask: Tensor, target: Tensor) -> Tensor:
    mask = mask > 0.5
    return (mask & target).flatten(1).sum(1) / (mask | target).flatten(1).sum(1).clamp(min=1)


def test_they_are_probabilities_that_are_partly_right():
    given = truth()
    masks = CoarseMasks(share=1.0)(given)
    assert masks.shape == (12, 1, *SIZE)
    assert masks.dtype == torch.float32
    assert ((masks >= 0) & (masks <= 1)).all()
    quality = iou(masks, given.target)[2:]
    assert 0.5 < quality.mean() < 0.95
    assert (quality < 1).all()


def test_without_errors_only_the_pixels_are_coarse():
    given = truth()
    masks = CoarseMasks(share=1.0, factor=2, border=0.0, blobs=0.0)(given)
    assert (iou(masks, given.target)[1:] > 0.9).all()
    assert (masks[0] < 0.01).all()


def test_a_sample_does_not_depend_on_its_batch():
    given = truth()
    coarse = CoarseMasks()
    every = coarse(given)
    index = torch.tensor([7, 2])
    torch.testing.assert_close(coarse(given.select(index)), every[index])
    other = coarse(replace(given, step=given.step + 1))
    assert not torch.equal(other, every)


def test_a_share_of_the_samples_gets_one():
    many = truth(200)
    began = CoarseMasks(share=0.3, factor=8)(many)[2:].flatten(1).any(1).float().mean()
    assert 0.2 < began < 0.4
    assert not CoarseMasks(share=0.0)(truth()).any()


@pytest.mark.parametrize("wrong", [{"share": 1.2}, {"blobs": 0.5}, {"factor": 0}, {"border": -1.0}, {"grain": 0.0}])
def test_numbers_out_of_range(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        CoarseMasks(**wrong)

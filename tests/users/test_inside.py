from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.helpers.user_reference import allowed_inside
from zoo.interactions import Interactions
from zoo.testing.users import UserContract, some_truth
from zoo.users import RandomInside, SimulatedUser, Truth


class TestRandomInside(UserContract):
    random = True

    def make(self) -> SimulatedUser:
        return RandomInside()


def clicks(truth: Truth, min_distance: float, steps: int) -> np.ndarray:
    """(steps, B, 2) rows and columns."""
    so_far, prediction = Interactions.empty(len(truth), truth.size), torch.zeros_like(truth.target)
    said = [
        RandomInside(min_distance)(prediction, replace(truth, step=torch.full_like(truth.sample_id, s)), so_far, 0)
        for s in range(steps)
    ]
    return np.stack([new.points[:, 0, [1, 0]].floor().long().numpy() for new in said])


@pytest.mark.parametrize("min_distance", [1.0, 2.0, 3.5])
def test_reaches_every_allowed_pixel_and_no_other(min_distance: float) -> None:
    target = torch.zeros(4, 1, 11, 13, dtype=torch.bool)
    target[0, 0, 2:9, 3:10] = True
    target[1, 0, :5, :4] = True  # in the corner: the image's edge is no border
    target[2, 0, 4, 2:11] = True  # too thin for any distance above 1
    target[3] = True
    places = clicks(Truth(target, torch.arange(4)), min_distance, 1500)
    for i in range(4):
        counts = np.zeros((11, 13), int)
        np.add.at(counts, tuple(places[:, i].T), 1)
        allowed = allowed_inside(target[i, 0].numpy(), min_distance)
        assert (counts[~allowed] == 0).all()
        assert (counts[allowed] > 0).mean() > 0.95
        expected = 1500 / allowed.sum()
        assert counts.max() < expected + 6 * np.sqrt(expected)


def test_no_click_on_ignored_pixels() -> None:
    truth = some_truth()
    assert truth.ignore is not None
    for row, column in clicks(truth, 2.0, 50)[:, 2]:
        assert not truth.ignore[2, 0, row, column]

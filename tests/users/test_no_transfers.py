"""Clicks are simulated on the device: what runs on tensors without values can't have waited for any."""

from dataclasses import replace

import pytest
import torch

from zoo.evaluation.interactive import iou
from zoo.interactions import Interactions
from zoo.methods.ritm import ritm_user
from zoo.users import Jitter, NextClick, RandomInError, SimulatedUser, TrainingClicks, Truth

BATCH, SIZE = 3, (24, 32)


def truth() -> Truth:
    mask = torch.zeros(BATCH, 1, *SIZE, dtype=torch.bool, device="meta")
    ids = torch.zeros(BATCH, dtype=torch.long, device="meta")
    return Truth(mask, ids, mask.long(), ids, mask, ids)


@pytest.mark.parametrize("turn", [0, 1])
@pytest.mark.parametrize(
    "user",
    [TrainingClicks(), RandomInError(), RandomInError(0), NextClick(), Jitter(NextClick(), 3.0), ritm_user()],
    ids=str,
)
def test_nothing_comes_back_from_the_device(user: SimulatedUser, turn: int) -> None:
    said = Interactions.of(torch.zeros(BATCH, 4, 4, device="meta"), SIZE)
    strokes = replace(said, strokes=torch.zeros(BATCH, 2, *SIZE, dtype=torch.bool, device="meta"))
    for so_far in (said, strokes):
        new = user(truth().target, truth(), so_far, turn)
        assert new.points.device.type == "meta"
        assert new.points.shape[::2] == (BATCH, 4)


def test_nor_does_the_iou() -> None:
    assert iou(truth().target, truth()).shape == (BATCH,)

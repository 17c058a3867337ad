from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.helpers.user_reference import centroids
from zoo.errors import ConfigError
from zoo.interactions import Interactions
from zoo.testing.users import BATCH, SIZE, UserContract, given, some_prediction, some_truth
from zoo.users import OtherObjects, SimulatedUser


class TestOtherObjects(UserContract):
    needs_target = False
    tells_signs = False  # the centroid of a bent object may lie on its neighbour

    def make(self) -> SimulatedUser:
        return OtherObjects()

    def test_against_reference(self) -> None:
        truth = some_truth()
        assert truth.instances is not None
        assert truth.object_id is not None
        new = self.say(truth)
        for i in range(BATCH):
            without = int(truth.object_id[i]) if truth.target[i].any() else -1
            expected = centroids(truth.instances[i, 0].numpy(), without)
            points, _ = given(new, i)
            assert [tuple(p[:3]) for p in points] == [(x, y, 0.0) for _, (x, y) in sorted(expected.items())]

    def test_regions_have_no_other_objects(self) -> None:
        assert not self.say(replace(some_truth(), instances=None, object_id=None)).spoken.any()


class TestDroppedAndJittered(UserContract):
    random = True
    needs_target = False
    tells_signs = False

    def make(self) -> SimulatedUser:
        return OtherObjects(drop=(0.0, 0.5), jitter=3)


def test_drop_and_jitter_have_the_right_rates() -> None:
    truth = some_truth()
    prediction, so_far = some_prediction(truth), Interactions.empty(BATCH, SIZE)
    plain = OtherObjects()(prediction, truth, so_far, 0).points
    kept, shifts = [], []
    for step in range(400):
        later = replace(truth, step=torch.full_like(truth.sample_id, step))
        points = OtherObjects(drop=(0.2, 0.6), jitter=2)(prediction, later, so_far, 0).points
        there = plain[..., 2] == 0
        kept.append((points[..., 2][there] == 0).double().mean())
        middle = there & (plain[..., 0] > 3) & (plain[..., 0] < SIZE[1] - 3) & (points[..., 2] == 0)
        shifts.append((points[..., 0] - plain[..., 0])[middle])
    assert abs(np.mean(kept) - 0.6) < 0.03
    values, counts = torch.cat(shifts).unique(return_counts=True)
    assert values.tolist() == [-2, -1, 0, 1, 2]
    assert (counts / counts.sum() - 0.2).abs().max() < 0.03


def test_arguments() -> None:
    with pytest.raises(ConfigError, match="rising probabilities"):
        OtherObjects(drop=(0.5, 0.2))
    with pytest.raises(ConfigError, match="0 or more"):
        OtherObjects(jitter=-1)

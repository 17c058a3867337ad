import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_next_click import SIZE, masks

from tests.helpers.user_reference import allowed_in_error
from zoo.errors import ConfigError
from zoo.interactions import Interactions
from zoo.testing import UserContract
from zoo.users import RandomInError, SimulatedUser, Truth


class TestRandomInError(UserContract):
    corrective = True
    random = True

    def make(self) -> SimulatedUser:
        return RandomInError()


class TestAnywhereOnTheError(UserContract):
    corrective = True
    random = True

    def make(self) -> SimulatedUser:
        return RandomInError(depth=0)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=4), st.sampled_from([0.0, 0.5, 0.8]))
def test_five_turns_against_reference(seeds: list[int], depth: float) -> None:
    prediction, target, ignore = (np.stack(each) for each in zip(*(masks(s) for s in seeds), strict=True))
    truth = Truth(torch.from_numpy(target)[:, None], torch.tensor(seeds), ignore=torch.from_numpy(ignore)[:, None])
    so_far = Interactions.empty(len(seeds), SIZE)
    clicked: list[list[tuple[int, int]]] = [[] for _ in seeds]
    for turn in range(5):
        new = RandomInError(depth)(torch.from_numpy(prediction)[:, None], truth, so_far, turn)
        for i, before in enumerate(clicked):
            label, allowed = allowed_in_error(prediction[i], target[i], ignore[i], before, depth)
            assert bool(new.spoken[i]) == allowed.any()
            if new.spoken[i]:
                x, y, said, _ = new.points[i, 0].tolist()
                assert said == label
                assert allowed[int(y), int(x)]
                before.append((int(y), int(x)))
        so_far = so_far.add(new)


@pytest.mark.parametrize("depth", [0.0, 0.5])
def test_every_allowed_pixel_alike(depth: float) -> None:
    target, prediction = np.zeros((2, *SIZE), bool)
    target[2:13, 3:17] = True
    target[16:20, 2:8] = True
    prediction[2:6, 20:25] = True
    count = 4000
    truth = Truth(torch.from_numpy(target).expand(count, 1, -1, -1), torch.arange(count))
    shown = torch.from_numpy(prediction).expand(count, 1, -1, -1)
    new = RandomInError(depth)(shown, truth, Interactions.empty(count, SIZE), 3)
    label, allowed = allowed_in_error(prediction, target, np.zeros(SIZE, bool), [], depth)
    assert (new.points[:, 0, 2] == label).all()
    counts = np.zeros(SIZE, int)
    np.add.at(counts, tuple(new.points[:, 0, [1, 0]].long().numpy().T), 1)
    assert counts[~allowed].sum() == 0
    expected = count / allowed.sum()
    chi = ((counts[allowed] - expected) ** 2 / expected).sum()
    assert chi < allowed.sum() + 5 * np.sqrt(2 * allowed.sum())


@pytest.mark.parametrize("depth", [-0.1, 1.0, float("nan")])
def test_arguments(depth: float) -> None:
    with pytest.raises(ConfigError, match="depth"):
        RandomInError(depth)

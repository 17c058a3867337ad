import numpy as np
import pytest
import torch

from zoo.errors import ConfigError
from zoo.interactions import Interactions
from zoo.ops.draws import Draw
from zoo.testing.users import BATCH, SIZE, UserContract, given, some_prediction, some_truth
from zoo.users import BoxAround, Centroid, NextClick, OneOf, RandomInside, SimulatedUser, Squiggle, Truth
from zoo.users.draws import draw

USERS = [RandomInside(), Squiggle(), BoxAround(0.1)]


class TestOneOf(UserContract):
    random = True

    def make(self) -> SimulatedUser:
        return OneOf(USERS)

    def test_a_sample_is_told_what_its_user_says_alone(self) -> None:
        truth = some_truth()
        prediction, nothing = some_prediction(truth), Interactions.empty(BATCH, SIZE)
        spoke = set()
        for turn in range(6):
            new = self.say(truth, turn=turn)
            alone = [user(prediction, truth, nothing, turn) for user in USERS]
            who = [int(u * 3) for u in draw(truth, turn, Draw.WHO)]
            for i in range(BATCH - 1):
                spoke.add(who[i])
                assert given(new, i) == given(alone[who[i]], i)
                boxes, expected = (each.boxes[i][each.boxes[i, :, 4] >= 0] for each in (new, alone[who[i]]))
                assert torch.equal(boxes, expected)
        assert spoke == {0, 1, 2}


class TestClicksAlone(UserContract):
    random = True

    def make(self) -> SimulatedUser:
        return OneOf([Centroid(), RandomInside()], [0.3, 0.7])


class TestCorrecting(UserContract):
    corrective = True

    def make(self) -> SimulatedUser:
        return OneOf([NextClick()])


def test_users_are_drawn_in_proportion_to_their_weights() -> None:
    class Says(SimulatedUser):
        def __init__(self, x: float) -> None:
            self.x = x

        def __call__(self, prediction, truth, so_far, turn):
            x = torch.full((len(truth), 1), self.x)
            return Interactions.clicks(x, x, torch.ones_like(x), turn, truth.size)

    count = 4000
    target = torch.ones(count, 1, 8, 8, dtype=torch.bool)
    truth = Truth(target, torch.arange(count))
    user = OneOf([Says(k + 0.5) for k in range(4)], [2, 0, 5, 3])
    drawn = []
    for turn in range(2):
        points = user(target, truth, Interactions.empty(count, (8, 8)), turn).points
        said = points[..., 2] >= 0
        assert (said.sum(1) == 1).all()
        drawn.append(points[..., 0][said].floor())
    shares = np.bincount(drawn[0].long().numpy(), minlength=4) / count
    np.testing.assert_allclose(shares, [0.2, 0, 0.5, 0.3], atol=0.025)
    assert shares[1] == 0
    # Turns are drawn anew, independently.
    assert (drawn[0] == drawn[1]).float().mean() == pytest.approx(0.04 + 0.25 + 0.09, abs=0.03)


@pytest.mark.parametrize("weights", [[1.0], [0.5, -0.5], [0.0, 0.0]])
def test_weights_that_are_none(weights: list[float]) -> None:
    with pytest.raises(ConfigError, match="for each of 2 users"):
        OneOf([Centroid(), NextClick()], weights)


def test_nobody() -> None:
    with pytest.raises(ConfigError, match="OneOf was given no users"):
        OneOf([])


def test_what_it_gives() -> None:
    assert OneOf([NextClick(), BoxAround()]).gives == "box"
    assert OneOf([Centroid(), NextClick()]).gives == "click"

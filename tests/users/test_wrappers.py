from dataclasses import replace

import pytest
import torch
from torch import Tensor

from zoo.errors import ConfigError
from zoo.interactions import Interactions
from zoo.testing.users import BATCH, SIZE, UserContract, given, some_prediction, some_truth
from zoo.users import (
    Centroid,
    IfEmpty,
    Jitter,
    NextClick,
    OtherObjects,
    RandomInside,
    SimulatedUser,
    Squiggle,
    Together,
    Turns,
)


class TestTogether(UserContract):
    random = True
    needs_target = False
    tells_signs = False

    def make(self) -> SimulatedUser:
        return Together([RandomInside(), OtherObjects(drop=(0.0, 0.5), jitter=3)])

    def test_order(self) -> None:
        truth = some_truth()
        parts = [self.call(user) for user in (RandomInside(), OtherObjects(drop=(0.0, 0.5), jitter=3))]
        new = self.say(truth)
        for i in range(BATCH):
            assert given(new, i)[0] == given(parts[0], i)[0] + given(parts[1], i)[0]

    def call(self, user: SimulatedUser) -> Interactions:
        truth = some_truth()
        return user(some_prediction(truth), truth, Interactions.empty(BATCH, SIZE), 0)


class TestTurns(UserContract):
    random = True

    def make(self) -> SimulatedUser:
        return Turns([RandomInside(), NextClick()])


class TestStrokeAndClicks(UserContract):
    random = True
    needs_target = False
    tells_signs = False

    def make(self) -> SimulatedUser:
        return Together([Squiggle(), OtherObjects()])


class TestJitter(UserContract):
    corrective = True
    random = True
    tells_signs = False

    def make(self) -> SimulatedUser:
        return Jitter(NextClick(), sigma=4.0)

    def test_without_sigma_nothing_moves(self) -> None:
        truth = some_truth()
        arguments: tuple[Tensor, ...] = (some_prediction(truth), truth, Interactions.empty(BATCH, SIZE), 0)
        still, plain = Jitter(NextClick(), 0.0)(*arguments), NextClick()(*arguments)
        assert torch.equal(still.points, plain.points)


def test_turns_go_on_with_the_last() -> None:
    truth = some_truth()
    user = Turns([Centroid(), RandomInside()])
    arguments = (some_prediction(truth), truth, Interactions.empty(BATCH, SIZE))
    assert torch.equal(user(*arguments, 0).points, Centroid()(*arguments, 0).points)
    for turn in (1, 2, 9):
        assert torch.equal(user(*arguments, turn).points, RandomInside()(*arguments, turn).points)


def test_jitter_is_normal() -> None:
    truth = some_truth()
    arguments = (some_prediction(truth), Interactions.empty(BATCH, (2000, 2000)))

    class Middle(SimulatedUser):
        def __call__(self, prediction: Tensor, truth: object, so_far: Interactions, turn: int) -> Interactions:
            middle = torch.full((BATCH, 40), 1000.5)
            return Interactions.clicks(middle, middle, torch.ones_like(middle), turn, (2000, 2000))

    shifts = (
        torch.cat(
            [
                Jitter(Middle(), 20.0)(
                    arguments[0], replace(truth, step=truth.sample_id * 0 + s), arguments[1], 0
                ).points
                for s in range(40)
            ]
        )[..., :2].flatten(0, 1)
        - 1000.5
    )
    assert shifts.mean().abs() < 1
    assert ((shifts.std(0) - 20).abs() < 1).all()
    assert torch.corrcoef(shifts.T)[0, 1].abs() < 0.05
    assert ((shifts.abs() < 20).float().mean() - 0.683).abs() < 0.03


@pytest.mark.parametrize("make", [lambda: Together([]), lambda: Turns([]), lambda: Jitter(NextClick(), -1.0)])
def test_arguments(make: object) -> None:
    with pytest.raises(ConfigError):
        make()  # type: ignore[operator]


class TestIfEmpty(UserContract):
    random = True

    def make(self) -> SimulatedUser:
        return IfEmpty([NextClick(), RandomInside()])

    def test_each_sample_has_its_user(self) -> None:
        truth, prediction = some_truth(), some_prediction(some_truth())
        prediction[::2] = False
        nothing = Interactions.empty(BATCH, SIZE)
        new = self.make()(prediction, truth, nothing, 0)
        for i in range(BATCH):
            expected = (NextClick() if i % 2 == 0 else RandomInside())(prediction, truth, nothing, 0)
            assert given(new, i) == given(expected, i)


def test_if_empty_takes_two_users() -> None:
    with pytest.raises(ConfigError, match="IfEmpty was given 1 users; name two"):
        IfEmpty([NextClick()])

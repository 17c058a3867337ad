from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.helpers.user_reference import training_places
from zoo.errors import ConfigError
from zoo.interactions import Interactions
from zoo.testing.users import UserContract, some_prediction, some_truth
from zoo.users import SimulatedUser, TrainingClicks, Truth

SIZE = (24, 30)
COUNT = 2000


class TestTrainingClicks(UserContract):
    random = True

    def make(self) -> SimulatedUser:
        return TrainingClicks()


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Target, others, ignore (H, W) bool; the ring neither reaches the others nor the ignored pixels."""
    target, others, ignore = np.zeros((3, *SIZE), bool)
    target[4:15, 3:15] = True
    others[10:20, 22:28] = True
    ignore[:, 20] = ignore[6:8, 5:9] = ignore[15:17, 24] = True
    return target, others, ignore


def truth_of(target: np.ndarray, others: np.ndarray, ignore: np.ndarray, count: int = COUNT) -> Truth:
    """The scene `count` times, each under an id of its own."""

    def many(mask: np.ndarray) -> Tensor:
        return torch.from_numpy(mask).expand(count, 1, -1, -1)

    instances = torch.from_numpy(target * 7 + others * 90_000).long().expand(count, 1, -1, -1)
    ids = torch.arange(count) * 3 + 5
    return Truth(many(target), ids, instances, torch.full((count,), 7), many(ignore))


def say(truth: Truth, **arguments: Any) -> Tensor:
    """(B, 2 max_points, 4)."""
    nothing = Interactions.empty(len(truth), truth.size)
    return TrainingClicks(**arguments)(torch.zeros_like(truth.target), truth, nothing, 0).points


def histogram(points: Tensor, label: int) -> np.ndarray:
    """(H, W) clicks of a label on each pixel."""
    counts = np.zeros(SIZE, int)
    chosen = points[points[..., 2] == label]
    np.add.at(counts, tuple(chosen[:, [1, 0]].floor().long().numpy().T), 1)
    return counts


def assert_uniform(counts: np.ndarray, allowed: np.ndarray) -> None:
    """Clicks on allowed pixels only, and equally often on each (chi-square, five standard deviations)."""
    assert counts[~allowed].sum() == 0
    expected = counts.sum() / allowed.sum()
    assert expected > 5
    chi, free = ((counts[allowed] - expected) ** 2 / expected).sum(), allowed.sum() - 1
    assert chi <= free + 5 * np.sqrt(2 * free)


@pytest.mark.parametrize(("margin_off", "place"), [(1.0, "core"), (0.0, "inside")])
@pytest.mark.parametrize("margin", [0, 3, 20])
def test_positive_places(margin_off: float, place: str, margin: int) -> None:
    points = say(truth_of(*scene(), 800), margin_off=margin_off, margin=margin)
    allowed = training_places(*scene(), margin, 0.1)[place]
    assert_uniform(histogram(points, 1), allowed)


@pytest.mark.parametrize("kind", ["background", "others", "border"])
@pytest.mark.parametrize("ring", [0.1, 0.25])
def test_negative_places(kind: str, ring: float) -> None:
    weights = dict.fromkeys(["background", "others", "border"], 0.0) | {kind: 2.0}
    points = say(truth_of(*scene(), 1500), ring=ring, **weights)
    assert_uniform(histogram(points, 0), training_places(*scene(), 3, ring)[kind])


def test_a_ring_reaches_into_other_objects() -> None:
    target, others, ignore = scene()
    others[5:9, 15:19] = True
    points = say(truth_of(target, others, ignore, 800), background=0, others=0)
    border = training_places(target, others, ignore, 3, 0.1)["border"]
    assert (border & others).any()
    assert_uniform(histogram(points, 0), border)


def shares(points: Tensor, places: dict[str, np.ndarray]) -> tuple[float, float, int]:
    """Shares of negative clicks on the ring and on other objects, and how many clicks there are."""
    counts = histogram(points, 0)
    total = counts.sum()
    return counts[places["border"]].sum() / total, counts[places["others"]].sum() / total, total


def test_how_many_of_each_kind() -> None:
    places = training_places(*scene(), 3, 0.1)
    ring_of_background = (places["border"] & places["background"]).sum() / places["background"].sum()
    border, others, total = shares(say(truth_of(*scene())), places)
    assert abs(others - 0.4) < 5 * np.sqrt(0.25 / total)
    assert abs(border - (0.5 + 0.1 * ring_of_background)) < 5 * np.sqrt(0.25 / total)
    # without other objects the background and the ring share what is left, one to five
    target, none, ignore = scene()[0], np.zeros(SIZE, bool), scene()[2]
    places = training_places(target, none, ignore, 3, 0.1)
    ring_of_background = (places["border"] & places["background"]).sum() / places["background"].sum()
    for truth in (truth_of(target, none, ignore), region(target, ignore)):
        border, others, total = shares(say(truth), places)
        assert others == 0
        assert abs(border - (5 + ring_of_background) / 6) < 5 * np.sqrt(0.25 / total)


def region(target: np.ndarray, ignore: np.ndarray) -> Truth:
    """The target without any instances."""
    masks = [torch.from_numpy(each).expand(COUNT, 1, -1, -1) for each in (target, ignore)]
    return Truth(masks[0], torch.arange(COUNT), ignore=masks[1])


@pytest.mark.parametrize(("most", "decay"), [(24, 0.8), (3, 0.5), (1, 0.8), (5, 1.0), (4, 0.0)])
def test_how_many_clicks(most: int, decay: float) -> None:
    points = say(truth_of(*scene()), max_points=most, decay=decay)
    assert points.shape == (COUNT, 2 * most, 4)
    for label, least in ((1, 1), (0, 0)):
        numbers = (points[..., 2] == label).sum(1).numpy()
        expected = np.array([decay**k for k in range(most - least + 1)])
        expected *= COUNT / expected.sum()
        counts = np.bincount(numbers, minlength=most + 1)
        assert len(counts) == most + 1
        assert counts[:least].sum() == 0
        counts = counts[least:]
        assert counts[expected == 0].sum() == 0
        chi = ((counts - expected)[expected > 0] ** 2 / expected[expected > 0]).sum()
        assert chi < len(expected) + 5 * np.sqrt(2 * len(expected))
    positive, negative = ((points[..., 2] == label).sum(1).double() for label in (1, 0))
    if most > 1 and decay > 0:
        assert torch.corrcoef(torch.stack([positive, negative]))[0, 1].abs() < 5 / np.sqrt(COUNT)


def test_how_often_the_margin_is_left_out() -> None:
    places = training_places(*scene(), 3, 0.1)
    points = say(truth_of(*scene()), max_points=1)
    on_margin = histogram(points, 1)[places["inside"] & ~places["core"]].sum() / COUNT
    expected = 0.1 * (1 - places["core"].sum() / places["inside"].sum())
    assert abs(on_margin - expected) < 5 * np.sqrt(expected / COUNT)
    # drawn for a sample, not for a click
    points = say(truth_of(*scene()), decay=1.0)
    margin = torch.from_numpy(places["inside"] & ~places["core"])
    x, y = points[..., 0].long(), points[..., 1].long()
    clicked = ((points[..., 2] == 1) & margin[y, x]).any(1)
    many = (points[..., 2] == 1).sum(1) >= 10
    assert abs(clicked[many].double().mean() - 0.1) < 0.03


def test_targets_without_a_core_and_at_the_edge() -> None:
    none = np.zeros(SIZE, bool)
    for rows, columns in ((slice(4, 5), slice(3, 25)), (slice(9, 10), slice(9, 10)), (slice(0, 7), slice(0, 4))):
        target = none.copy()
        target[rows, columns] = True
        places = training_places(target, none, none, 3, 0.1)
        points = say(truth_of(target, none, none, 500), margin_off=1.0)
        assert_uniform(histogram(points, 1), places["core"])
        assert histogram(points, 0)[target].sum() == 0
    # the edge is no border: the corner's target keeps its outermost pixels
    assert places["core"][0, 0]
    assert places["core"].sum() == 4


@pytest.mark.parametrize("ignored", [False, True])
def test_without_a_target_nothing_is_said(ignored: bool) -> None:
    target, others, ignore = scene()
    truth = truth_of(target, others, target | ignore) if ignored else truth_of(target & False, others, ignore)
    assert (say(truth)[..., 2] == -1).all()


def test_without_anything_else_there_are_no_negative_clicks() -> None:
    target, none = np.ones(SIZE, bool), np.zeros(SIZE, bool)
    points = say(truth_of(target, none, none, 50))
    assert (points[..., 2] == 1).any(1).all()
    assert not (points[..., 2] == 0).any()
    assert points.isfinite().all()


def test_the_prediction_does_not_matter_but_the_turn_does() -> None:
    truth, nothing = some_truth(), Interactions.empty(6, some_truth().size)
    user = TrainingClicks()
    first = user(some_prediction(truth), truth, nothing, 0)
    assert torch.equal(user(truth.target, truth, nothing, 0).points, first.points)
    assert not torch.equal(user(truth.target, truth, nothing, 1).points[..., :3], first.points[..., :3])


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_points": 0},
        {"margin": -1},
        {"ring": 0},
        {"decay": 1.1},
        {"decay": -0.1},
        {"margin_off": 2},
        {"others": -0.1},
        {"background": 0, "others": 0, "border": 0},
    ],
)
def test_arguments(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(arguments))):
        TrainingClicks(**arguments)

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.user_reference import next_click
from zoo.interactions import PADDING, Interactions
from zoo.testing import UserContract
from zoo.users import NextClick, SimulatedUser, Truth

SIZE = (21, 26)


class TestNextClick(UserContract):
    corrective = True

    def make(self) -> SimulatedUser:
        return NextClick()


def masks(seed: int) -> np.ndarray:
    """(3, H, W) bool blocks: many ties, errors at the image's edge, one-pixel errors."""
    rng = np.random.default_rng(seed)
    out = np.zeros((3, *SIZE), bool)
    for mask in out[:2]:
        for _ in range(rng.integers(0, 4)):
            row, column = rng.integers(-2, SIZE)
            height, width = rng.integers(1, 14, 2)
            mask[max(row, 0) : row + height, max(column, 0) : column + width] ^= True
    out[2] = rng.random(SIZE) < rng.choice([0.0, 0.03])
    return out


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=4))
def test_ten_turns_against_reference(seeds: list[int]) -> None:
    prediction, target, ignore = (np.stack(each) for each in zip(*(masks(s) for s in seeds), strict=True))
    ids = torch.arange(len(seeds))
    truth = Truth(torch.from_numpy(target)[:, None], ids, ignore=torch.from_numpy(ignore)[:, None])
    so_far = Interactions.empty(len(seeds), SIZE)
    clicked: list[list[tuple[int, int]]] = [[] for _ in seeds]
    for turn in range(10):
        new = NextClick()(torch.from_numpy(prediction)[:, None], truth, so_far, turn)
        for i, before in enumerate(clicked):
            expected = next_click(prediction[i], target[i], ignore[i], before)
            x, y, label, _ = new.points[i, 0].tolist()
            if expected is None:
                assert label == PADDING
                assert not new.spoken[i]
            else:
                assert (x, y, int(label)) == expected
                before.append((int(y), int(x)))
        so_far = so_far.add(new)


def single(prediction: torch.Tensor, target: torch.Tensor) -> list[float]:
    truth = Truth(target[None, None], torch.zeros(1, dtype=torch.long))
    new = NextClick()(prediction[None, None], truth, Interactions.empty(1, truth.size), 0)
    point: list[float] = new.points[0, 0].tolist()
    return point


def test_equal_errors_give_a_negative_click_at_the_first_pixel() -> None:
    target, prediction = torch.zeros(2, 12, 12, dtype=torch.bool)
    target[1:5, 1:5] = True
    prediction[7:11, 7:11] = True
    assert single(prediction, target) == [8.5, 8.5, 0.0, 0.0]


def test_the_image_edge_is_a_border_of_the_error() -> None:
    target = torch.zeros(12, 12, dtype=torch.bool)
    target[:, :5] = True
    assert single(torch.zeros_like(target), target)[:3] == [2.5, 2.5, 1.0]


def test_scribbled_pixels_are_not_clicked() -> None:
    target = torch.zeros(1, 1, 12, 12, dtype=torch.bool)
    target[..., 2:7, 2:7] = True
    truth = Truth(target, torch.zeros(1, dtype=torch.long))
    strokes = torch.zeros(1, 2, 12, 12, dtype=torch.bool)
    strokes[0, 0] = target[0, 0]
    so_far = Interactions.of(torch.zeros(1, 0, 4), (12, 12), strokes)
    assert not NextClick()(torch.zeros_like(target), truth, so_far, 1).spoken.any()

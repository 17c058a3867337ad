import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.ops import choose_pixel, choose_pixels, uniform

WORD = 2**64


def reference(*counters: int) -> float:
    """The same hash in Python's unbounded integers."""
    state = 0
    for counter in counters:
        x = ((state ^ (counter % WORD)) + 0x9E3779B97F4A7C15) % WORD
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % WORD
        x = (x ^ x >> 27) * 0x94D049BB133111EB % WORD
        state = x ^ x >> 31
    return (state >> 11) / 2**53


integers = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(integers, min_size=1, max_size=5), integers, st.integers(0, 100), st.integers(0, 100))
@settings(max_examples=100, deadline=None)
def test_equals_unbounded_integers(ids: list[int], step: int, turn: int, draw: int) -> None:
    out = uniform(torch.tensor(ids), step, turn, draw)
    assert out.dtype == torch.float64
    assert out.tolist() == [reference(i, step, turn, draw) for i in ids]


def test_first_number_of_splitmix64() -> None:
    # The published generator with seed 0 yields 0xE220A8397B1DCDAF first.
    assert reference(0) == (0xE220A8397B1DCDAF >> 11) / 2**53


def test_counters_may_be_tensors_and_the_batch_does_not_matter() -> None:
    ids, steps = torch.arange(10), torch.arange(10) * 7
    whole = uniform(ids, steps, 3, 1)
    assert torch.equal(whole[4:5], uniform(ids[4:5], 28, 3, 1))
    assert torch.equal(whole.flip(0), uniform(ids.flip(0), steps.flip(0), 3, 1))


def test_numbers_look_uniform_and_independent() -> None:
    n = 20_000
    ids = torch.arange(n)
    draws = torch.stack(
        [
            uniform(ids, 0, 0, 0),
            uniform(ids, 1, 0, 0),
            uniform(ids, 0, 1, 0),
            uniform(ids, 0, 0, 1),
            uniform(ids + 1, 0, 0, 0),
        ]
    )
    assert ((draws >= 0) & (draws < 1)).all()
    for row in draws:
        counts = np.histogram(row.numpy(), bins=20, range=(0, 1))[0]
        assert ((counts - n / 20) ** 2 / (n / 20)).sum() < 50  # chi-square, 19 degrees: 43.8 at p = .001
    correlation = torch.corrcoef(draws) - torch.eye(len(draws))
    assert correlation.abs().max() < 0.035  # five standard errors


@given(st.integers(0, 2**32), st.floats(0, 1, exclude_max=True), st.floats(0.0, 1.0))
@settings(max_examples=100, deadline=None)
def test_choose_pixel_is_the_kth_true_pixel(seed: int, u: float, density: float) -> None:
    masks = torch.from_numpy(np.random.default_rng(seed).random((3, 5, 6)) < density)
    masks[1] = False
    points, valid = choose_pixel(masks, torch.full((3,), u, dtype=torch.float64))
    for point, ok, mask in zip(points, valid, masks, strict=True):
        pixels = np.argwhere(mask.numpy())
        assert bool(ok) == (len(pixels) > 0)
        if not ok:
            assert point.isnan().all()
            continue
        row, column = pixels[int(np.floor(u * len(pixels)))]
        assert point.tolist() == [column + 0.5, row + 0.5]


def test_several_pixels_are_chosen_as_one_by_one() -> None:
    masks = (
        torch.rand(4, 9, 13, generator=torch.Generator().manual_seed(0))
        < torch.tensor([0.5, 0.02, 0, 1])[:, None, None]
    )
    u = torch.stack([uniform(torch.arange(4), 0, 0, k) for k in range(40)], 1)
    points, valid = choose_pixels(masks, u)
    assert valid.tolist() == [True, True, False, True]
    for k in range(40):
        expected, _ = choose_pixel(masks, u[:, k])
        torch.testing.assert_close(points[:, k], expected, rtol=0, atol=0, equal_nan=True)
    assert points.dtype == torch.float32
    assert choose_pixels(masks[:0], u[:0])[0].shape == (0, 40, 2)


@pytest.mark.parametrize("count", [1, 3, 7, 30])
def test_largest_u_stays_inside(count: int) -> None:
    mask = torch.zeros(1, 5, 6, dtype=torch.bool)
    mask.view(-1)[:count] = True
    points, _ = choose_pixel(mask, torch.tensor([1 - 2.0**-53], dtype=torch.float64))
    assert points.tolist() == [[(count - 1) % 6 + 0.5, (count - 1) // 6 + 0.5]]

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.helpers.geodesic import slow_geodesic
from zoo.ops.device import pure_torch
from zoo.ops.geodesic import geodesic_distance


def some(seed: int, size: tuple[int, int], batch: int = 2, channels: int = 3) -> tuple[Tensor, Tensor]:
    """Images, and two maps each that begin at few pixels, some of them late; some maps are empty."""
    rng = np.random.default_rng(seed)
    start = np.where(rng.random((batch, 2, *size)) < 0.06, rng.choice([0.0, 0.0, 2.5], (batch, 2, *size)), np.inf)
    return torch.from_numpy(start).float(), torch.from_numpy(rng.random((batch, channels, *size))).float()


@given(
    seed=st.integers(0, 10**6),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    weight=st.sampled_from([0.0, 3.0, 40.0]),
    limit=st.sampled_from([2.0, 12.0, 255.0]),
)
@settings(max_examples=60, deadline=None)
def test_both_forms_against_a_slow_reference(seed, height, width, weight, limit):
    start, image = some(seed, (height, width))
    kept = start.clone()
    for path in (nullcontext, pure_torch):
        with path():
            found = geodesic_distance(start, image, weight, limit)
        assert found.dtype == torch.float32
        for i in range(2):
            for k in range(2):
                expected = slow_geodesic(start[i, k].numpy(), image[i].numpy(), weight, limit)
                np.testing.assert_allclose(found[i, k], expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(start, kept)


@pytest.mark.parametrize("weight", [0.0, 30.0])
def test_both_forms_agree_on_a_larger_image(weight):
    start, image = some(1, (60, 47), batch=1)
    exact = geodesic_distance(start, image, weight, 255.0)
    with pure_torch():
        relaxed = geodesic_distance(start, image, weight, 255.0)
    torch.testing.assert_close(relaxed, exact, rtol=1e-5, atol=1e-4)


@pytest.mark.usefixtures("either_path")
def test_a_path_through_a_gap_of_a_wall():
    # A wall of the highest contrast with a gap at the bottom: the way round is cheaper than through it.
    image = torch.zeros(1, 1, 12, 9)
    image[..., :11, 4] = 1.0
    start = torch.full((1, 1, 12, 9), torch.inf)
    start[..., 0, 0] = 0
    through = geodesic_distance(start, image, 1.0, 255.0)[0, 0, 0, 8]
    around = geodesic_distance(start, image, 1000.0, 255.0)[0, 0, 0, 8]
    assert through == pytest.approx(6 + 2 * 2**0.5)
    assert around == pytest.approx(14 + 8 * 2**0.5)


@pytest.mark.usefixtures("either_path")
def test_no_samples_and_no_beginnings():
    assert geodesic_distance(torch.zeros(0, 2, 4, 5), torch.zeros(0, 3, 4, 5), 1, 9).shape[0] == 0
    nothing = torch.full((2, 2, 4, 5), torch.inf)
    assert (geodesic_distance(nothing, torch.zeros(2, 3, 4, 5), 1, 9) == 9).all()

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from zoo.ops import dilate, erode

SQUARE = np.ones((3, 3))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(0, 12), min_size=1, max_size=4), st.floats(0, 1))
def test_as_often_as_the_radius_by_3x3(seed: int, radii: list[int], density: float) -> None:
    rng = np.random.default_rng(seed)
    masks = rng.random((len(radii), *rng.integers(1, 16, 2))) < density
    wide, narrow = (op(torch.from_numpy(masks), torch.tensor(radii)) for op in (dilate, erode))
    assert wide.dtype == narrow.dtype == torch.bool
    for mask, radius, larger, smaller in zip(masks, radii, wide, narrow, strict=True):
        # scipy repeats without end for 0 iterations
        expected = ndimage.binary_dilation(mask, SQUARE, radius) if radius else mask
        np.testing.assert_array_equal(larger, expected)
        expected = ndimage.binary_erosion(mask, SQUARE, radius, border_value=1) if radius else mask
        np.testing.assert_array_equal(smaller, expected)


def test_no_masks() -> None:
    assert dilate(torch.zeros(0, 4, 5, dtype=torch.bool), torch.zeros(0, dtype=torch.long)).shape == (0, 4, 5)

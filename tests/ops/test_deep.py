import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from zoo.ops import choose_deep
from zoo.ops.extent import area, bounding_box, count_rows


def reference(masks: np.ndarray, out: np.ndarray, depth: float, u: float) -> tuple[int, int, int] | None:
    """Mask, row and column of one sample's pixel; squared distances over the whole image, in whole numbers."""
    squared = np.stack([np.rint(ndimage.distance_transform_edt(np.pad(m, 1))[1:-1, 1:-1] ** 2) for m in masks])
    squared[:, out] = 0
    most = squared.max((1, 2))
    which = int(most.argmax())  # numpy's is the first
    if most[which] == 0:
        return None
    distance = np.sqrt(squared[which].astype(np.float32))
    places = np.argwhere((distance > np.float32(depth) * distance.max()) | (squared[which] == most[which]))
    row, column = places[int(u * len(places))]
    return which, int(row), int(column)


@pytest.mark.usefixtures("either_path")
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 0.9, 1.0]), st.floats(0, 1, exclude_max=True))
def test_equals_reference(seed: int, depth: float, u: float) -> None:
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 40, 2)
    smooth = ndimage.gaussian_filter(rng.random((2, 3, *size)), (0, 0, 2, 2))
    masks = smooth > np.quantile(smooth, rng.uniform(0, 1.0))
    masks[0, 0] = False
    left_out = rng.random((3, *size)) < 0.02
    xy, which = choose_deep(
        torch.from_numpy(masks), torch.from_numpy(left_out), depth, torch.full((3,), u, dtype=torch.float64)
    )
    for i in range(3):
        expected = reference(masks[:, i], left_out[i], depth, u)
        if expected is None:
            assert which[i] == -1
            continue
        assert (int(which[i]), *(xy[i].flip(0) - 0.5).tolist()) == expected


@pytest.mark.usefixtures("either_path")
def test_equally_deep_masks_and_what_was_left_out() -> None:
    masks = torch.zeros(2, 1, 9, 12, dtype=torch.bool)
    masks[0, 0, 0:3, 0:3] = True
    masks[1, 0, 4:9, 5:10] = True
    nothing, first = torch.zeros(1, 9, 12, dtype=torch.bool), torch.zeros(1, dtype=torch.float64)
    assert [each.tolist() for each in choose_deep(masks, nothing, 1.0, first)] == [[[7.5, 6.5]], [1]]
    out = nothing.clone()
    out[0, 5:8, 6:9] = True  # leaves the one's deepest pixel 2 px deep, as the other's is
    assert [each.tolist() for each in choose_deep(masks, out, 1.0, first)] == [[[1.5, 1.5]], [0]]
    assert choose_deep(masks, ~nothing, 1.0, first)[1].tolist() == [-1]


def test_extent() -> None:
    rng = np.random.default_rng(0)
    for density in (0.0, 0.01, 0.5, 1.0):
        mask = rng.random((3, 11, 17)) < density
        torch.testing.assert_close(count_rows(torch.from_numpy(mask)).numpy(), mask.sum(2, dtype=np.int32))
        assert area(torch.from_numpy(mask)).tolist() == mask.sum((1, 2)).tolist()
        turned = torch.from_numpy(mask).transpose(1, 2)
        torch.testing.assert_close(count_rows(turned).numpy(), mask.sum(1, dtype=np.int32))
        for each in mask:
            box, places = bounding_box(each), np.argwhere(each)
            if not len(places):
                assert box is None
                continue
            low, high = places.min(0), places.max(0) + 1
            assert box == (slice(low[0], high[0]), slice(low[1], high[1]))
    assert bounding_box(np.zeros((0, 5), bool)) is None
    assert count_rows(torch.zeros(0, 4, 5, dtype=torch.bool)).shape == (0, 4)

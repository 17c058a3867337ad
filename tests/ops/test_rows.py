"""Where something is in a raster, beside the plain reductions."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.ops.rows import box_in, ends, rows_of

sides = st.integers(1, 20)


@given(
    st.integers(1, 3), sides, st.sampled_from([1, 5, 8, 16, 24]), st.integers(0, 9), st.integers(0, 99), st.booleans()
)
def test_rows_and_boxes_are_those_of_plain_reductions(layers, height, width, cut, seed, swap):
    generator = torch.Generator().manual_seed(seed)
    raster = torch.rand(layers, height + cut, width, generator=generator) > 0.97
    raster = raster[:, cut:]  # words may begin anywhere in memory
    if swap:
        raster = raster.mT
    assert torch.equal(rows_of(raster), raster.any(-1))
    found = raster.any(0)
    box = box_in(raster)
    if box is None:
        assert not found.any()
    else:
        rows, columns = (found.any(axis).nonzero()[:, 0] for axis in (1, 0))
        assert box == (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
        assert box_in(found) == box


def test_every_pixel_of_a_word_counts():
    for k in range(16):
        raster = torch.zeros(3, 16, dtype=torch.bool)
        raster[1, k] = True
        assert rows_of(raster).tolist() == [False, True, False]
    assert rows_of(torch.ones(2, 8, dtype=torch.bool)).all()


def test_ends():
    assert ends(torch.tensor([False, True, False, True, False])) == (1, 4)
    assert ends(torch.zeros(4, dtype=torch.bool)) == (0, 0)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.slides.grid import Grid, Parents

sizes = st.integers(1, 60)
downsamples = st.sampled_from([1.0, 2.0, 4.0]) | st.floats(1, 6)
grids = st.builds(Grid, size=sizes, stride=sizes, downsample=downsamples)
sides = st.integers(1, 500)


def starts(grid: Grid, length: int) -> list[int]:
    """Along one axis, one after the other until a patch sticks out."""
    found, index, step = [], 0, grid.stride * grid.downsample
    while True:
        start = round(index * step)
        if index * step + grid.size * grid.downsample > length + 1:
            return found
        if start + grid.size * grid.downsample <= length + 1e-6:
            found.append(start)
        index += 1


@given(grids, sides, sides)
def test_grid_holds_all_whole_patches_in_order(grid, width, height):
    rows = grid.rows(width, height)
    made = [tuple(corner) for row in rows for corner in row.tolist()]
    assert made == [(x, y) for y in starts(grid, height) for x in starts(grid, width)]
    assert all(row.dtype == np.int64 and len(set(row[:, 1].tolist())) == 1 for row in rows if len(row))


def test_grid_of_a_slide_smaller_than_a_patch_is_empty():
    assert Grid(10, 10, 4.0).rows(39, 400) == [] or all(len(row) == 0 for row in Grid(10, 10, 4.0).rows(39, 400))
    assert [row.tolist() for row in Grid(10, 10, 4.0).rows(40, 79)] == [[[0, 0]]]


@given(
    st.builds(Grid, size=st.integers(8, 40), stride=st.integers(3, 40), downsample=st.just(4.0)),
    st.builds(Grid, size=st.integers(1, 40), stride=st.integers(1, 40), downsample=st.sampled_from([1.0, 2.0])),
    st.data(),
)
def test_windows_are_those_of_a_parent_that_holds_the_patch(grid, children, data):
    width, height = data.draw(st.integers(40, 300)), data.draw(st.integers(40, 300))
    every = [tuple(corner) for row in grid.rows(width, height) for corner in row.tolist()]
    kept = [corner for corner in every if data.draw(st.booleans())]
    parents = Parents(kept, grid, children)
    patches = [tuple(corner) for row in children.rows(width, height) for corner in row.tolist()]
    for x, y in patches[:: max(len(patches) // 50, 1)]:
        holding = [
            item
            for item, (left, top) in enumerate(kept)
            if left <= x and top <= y and x + children.extent <= left + grid.extent
            if y + children.extent <= top + grid.extent
        ]
        found = parents.window((x, y))
        assert (found is None) == (not holding)
        if found:
            item, x0, y0, x1, y1 = found
            assert item in holding
            left, top = kept[item]
            assert (left + 4 * x0, top + 4 * y0) == (x, y)
            assert (left + 4 * x1, top + 4 * y1) == (x + children.extent, y + children.extent)
            off = [
                abs(x + children.extent / 2 - a - grid.extent / 2) ** 2
                + abs(y + children.extent / 2 - b - grid.extent / 2) ** 2
                for a, b in (kept[other] for other in holding)
            ]
            assert off[holding.index(item)] == min(off)


@given(st.floats(3.6, 4.4))
def test_parts_of_a_parent_all_find_it_where_downsamples_are_fractions(downsample):
    """ZoomISEG's geometry: 16 patches of the higher magnification fill one of the lower, whatever is rounded."""
    grid, children = Grid(1024, 1024, downsample), Grid(1024, 1024, downsample / 4)
    width, height = 3 * int(grid.extent) + 5, 2 * int(grid.extent) + 5
    corners = [tuple(corner) for row in grid.rows(width, height) for corner in row.tolist()]
    parents = Parents(corners, grid, children)
    found = [parents.window(tuple(corner)) for row in children.rows(width, height) for corner in row.tolist()]
    items = [window[0] for window in found if window]
    assert [items.count(item) for item in range(len(corners))] == [16] * len(corners)
    for window in found:
        if window:
            at = np.array(window[1:])
            assert (at >= 0).all()
            assert (at <= 1024).all()
            np.testing.assert_allclose(at / 256, np.rint(at / 256), atol=1.01 / downsample / 256)


def test_a_patch_that_sticks_out_by_one_pixel_has_no_parent():
    grid, children = Grid(8, 8, 4.0), Grid(8, 1, 1.0)
    parents = Parents([(32, 0)], grid, children)
    assert parents.window((31, 0)) is None
    assert parents.window((32, 0)) == (0, 0, 0, 2, 2)
    assert parents.window((56, 24)) == (0, 6, 6, 8, 8)
    assert parents.window((57, 24)) is None
    assert parents.window((56, 25)) is None


@pytest.mark.parametrize("stride", [4, 8])
def test_where_parents_overlap_the_patch_is_in_the_middle(stride):
    grid, children = Grid(8, stride, 4.0), Grid(8, 8, 1.0)
    parents = Parents([(0, 0), (4 * stride, 0)], grid, children)
    assert parents.window((16, 0))[0] == 0
    assert parents.window((24 if stride == 4 else 32, 0))[0] == 1

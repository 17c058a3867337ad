from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from data_prep.mosaic import SEAM_SHARE, shrink_region, stitch, stitch_labels
from zoo.images.blocks import shrink


def slow_stitch(tiles) -> np.ndarray:
    """Union-find over (tile, id), pixel by pixel along every seam."""
    rows, columns = len(tiles), len(tiles[0])
    height, width = tiles[0][0].shape
    parent: dict[tuple[int, int, int], tuple[int, int, int]] = {}

    def find(key):
        while parent.setdefault(key, key) != key:
            key = parent[key]
        return key

    def join(a, b):
        facing: dict[tuple, int] = {}
        runs: dict[tuple, int] = {}
        for one, other in zip(a, b, strict=True):
            runs[one] = runs.get(one, 0) + 1
            runs[other] = runs.get(other, 0) + 1
            facing[one, other] = facing.get((one, other), 0) + 1
        for (one, other), contact in facing.items():
            if one[2] and other[2] and contact / min(runs[one], runs[other]) >= SEAM_SHARE:
                parent[find(one)] = find(other)

    def line(r, c, pixels):
        return [(r, c, int(value)) for value in pixels]

    for r, c in product(range(rows), range(columns)):
        if c + 1 < columns:
            join(line(r, c, tiles[r][c][:, -1]), line(r, c + 1, tiles[r][c + 1][:, 0]))
        if r + 1 < rows:
            join(line(r, c, tiles[r][c][-1]), line(r + 1, c, tiles[r + 1][c][0]))
    numbers: dict[tuple[int, int, int], int] = {}
    canvas = np.zeros((rows * height, columns * width), int)
    for y, x in np.ndindex(canvas.shape):
        r, c = y // height, x // width
        value = int(tiles[r][c][y % height, x % width])
        if value:
            canvas[y, x] = numbers.setdefault(find((r, c, value)), len(numbers) + 1)
    return canvas


def assert_same_objects(one, other):
    pairs = set(zip(one.ravel().tolist(), other.ravel().tolist(), strict=True))
    assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)
    assert all((a == 0) == (b == 0) for a, b in pairs)


@given(
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)).flatmap(
        lambda s: arrays(np.uint8, s, elements=st.sampled_from([0, 0, 1, 2, 200]))
    )
)
def test_seams_like_union_find(canvas):
    tiles = [list(row) for row in canvas]
    joined = stitch_labels(tiles)
    assert_same_objects(joined, slow_stitch(tiles))
    assert set(np.unique(joined)) | {0} == set(range(joined.max() + 1))
    assert joined.dtype == np.int32


def test_neighbours_that_merely_touch_stay_two():
    left, right = np.zeros((12, 4), int), np.zeros((12, 4), int)
    left[:8], right[7:] = 1, 1  # 1 of 5 pixels
    assert stitch_labels([[left, right]]).max() == 2
    right[6:] = 1  # 2 of 6 pixels
    assert stitch_labels([[left, right]]).max() == 1


def test_four_tiles_share_one_object():
    tile = np.ones((3, 4), np.uint8)
    np.testing.assert_array_equal(stitch_labels([[tile, tile * 5], [tile * 9, tile]]), np.ones((6, 8)))
    # only the corners meet
    one = np.zeros((3, 4), int)
    one[-1, -1] = 4
    assert stitch_labels([[one, one * 0], [one * 0, one[::-1, ::-1]]]).max() == 2


def test_stitched_in_rows():
    tiles = np.random.default_rng(0).integers(0, 256, (2, 2, 3, 4, 3), np.uint8)
    whole = stitch([list(row) for row in tiles])
    assert whole.shape == (6, 8, 3)
    np.testing.assert_array_equal(whole[3:, :4], tiles[1, 0])
    np.testing.assert_array_equal(whole[:3, 4:], tiles[0, 1])


@pytest.mark.parametrize("factor", [1, 2, 4])
@pytest.mark.parametrize("size", [(8, 12), (9, 14), (11, 7)])
def test_averages_and_majorities_of_blocks(factor, size):
    random = np.random.default_rng(1)
    image = random.integers(0, 256, (*size, 3), np.uint8)
    region = random.random(size) < 0.5
    small, mask = shrink(image, factor), shrink_region(region, factor)
    assert small.shape[:2] == mask.shape == (size[0] // factor, size[1] // factor)
    assert small.dtype == np.uint8
    for r, c in np.ndindex(mask.shape):
        block = np.s_[r * factor : (r + 1) * factor, c * factor : (c + 1) * factor]
        assert np.abs(small[r, c] - image[block].reshape(-1, 3).mean(axis=0)).max() <= 0.5
        assert mask[r, c] == (region[block].mean() >= 0.5)

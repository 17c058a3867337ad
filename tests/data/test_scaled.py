"""Windows of objects at many scales."""

import numpy as np
import pytest

from tests.helpers.stores import HEIGHT, IDS, RECTANGLES, WIDTH, instance_store, instances, picture
from zoo.data import ScaledWindows, Selection
from zoo.errors import ConfigError

SIDE = 24


def windows(tmp_path, **arguments) -> ScaledWindows:
    store = instance_store(tmp_path / "s.h5", ("a", "train", 3))
    return ScaledWindows(Selection([store], "train"), SIDE, **arguments)


def test_pixels_and_labels_are_those_of_the_window(tmp_path):
    data = windows(tmp_path, low=0.7, high=3.0)
    labels, sides = instances(), set()
    for number in range(len(data)):
        place, sample = data.describe(number), data[number]
        x0, y0, side = (int(place[name]) for name in ("x0", "y0", "side"))
        sides.add(side)
        assert 0 <= x0 <= WIDTH - side
        assert 0 <= y0 <= HEIGHT - side
        assert sample.image.shape == (SIDE, SIDE, 3)
        # Pixels hold their own row and column: resampled, they still do, but at the window's edges.
        rows = y0 + (np.arange(SIDE) + 0.5) * side / SIDE - 0.5
        inner = slice(2, -2)
        assert np.abs(sample.image[inner, inner, 0] - rows[inner, None]).max() <= 1
        for r, c in np.ndindex(SIDE, SIDE):
            place_in_image = int(y0 + (r + 0.5) * side / SIDE), int(x0 + (c + 0.5) * side / SIDE)
            assert sample.instances[r, c] == labels[place_in_image]
        assert np.array_equal(sample.target, sample.instances == sample.object_id)
        assert sample.mpp is None
    assert len(sides) > 5


def test_scales_lie_between_the_limits_and_mostly_in_the_middle(tmp_path):
    data = windows(tmp_path, low=0.75, high=1.5)
    sides = [data._window(number, epoch)[2] for number in range(len(data)) for epoch in range(60)]
    assert min(sides) >= SIDE / 1.5
    assert max(sides) <= SIDE / 0.75
    logs = np.log(np.array(SIDE) / np.array(sides))
    middle = np.log(0.75 * 1.5) / 2
    assert abs(logs.mean() - middle) < 0.03
    # A triangle's deviation is its base over the root of 24; a uniform distribution's is larger by the root of 2.
    assert logs.std() == pytest.approx(np.log(2) / np.sqrt(24), rel=0.1)


def test_the_object_is_in_its_window_and_other_epochs_have_other_windows(tmp_path):
    data = windows(tmp_path, low=1.0, high=1.0, shift=0.2)
    for number in range(len(data)):
        sample = data[number]
        assert sample.object_id in IDS
        assert sample.target.any()
    one, other = ([data._window(number, epoch) for number in range(len(data))] for epoch in (0, 1))
    assert one != other
    assert one == [data._window(number, 0) for number in range(len(data))]


def test_without_scale_and_shift_it_is_the_plain_window(tmp_path):
    data = windows(tmp_path, low=1.0, high=1.0, shift=0.0)
    number = IDS.index(5)
    row, column, height, width = RECTANGLES[number]
    numbers = [k for k in range(len(data)) if data.describe(k)["object"] == 5]
    x0, y0 = column + width // 2 - SIDE // 2, row + height // 2 - SIDE // 2
    y0, x0 = min(max(y0, 0), HEIGHT - SIDE), min(max(x0, 0), WIDTH - SIDE)
    for item, k in enumerate(numbers):
        assert np.array_equal(data[k].image, picture(item)[y0 : y0 + SIDE, x0 : x0 + SIDE])


@pytest.mark.parametrize("wrong", [{"low": 0.0}, {"low": 2.0, "high": 1.0}, {"shift": 0.5}, {"shift": -0.1}])
def test_limits_that_are_none(wrong, tmp_path):
    with pytest.raises(ConfigError, match="low="):
        windows(tmp_path, **wrong)

from io import BytesIO

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image
from scipy import ndimage

from zoo.comparison.figures import (
    COLOURS,
    LINES,
    Sessions,
    _line,
    curves,
    first_interaction,
    panels,
    standard_error,
    success,
)
from zoo.comparison.sections import choose
from zoo.evaluation.record import Record
from zoo.images.drawing import NEGATIVE, POSITIVE, PREDICTION, TARGET, _widened, jpeg, overlay, png, square
from zoo.interactions import Box, Click, Interactions, Scribble

GREY = np.full((20, 30, 3), 128, np.uint8)


def is_colour(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (picture == colour).all(-1)


def test_nothing_to_draw_leaves_the_enlarged_image():
    image = np.random.default_rng(0).integers(0, 255, (4, 5, 3)).astype(np.uint8)
    picture = overlay(image, scale=3)
    assert picture.shape == (12, 15, 3)
    assert (picture[1::3, 1::3] == image).all()


def test_outlines_lie_inside_the_target_and_outside_the_prediction():
    mask = np.zeros((20, 30), bool)
    mask[5:15, 8:20] = True
    picture = overlay(GREY, mask, mask, scale=2)
    large = mask.repeat(2, 0).repeat(2, 1)
    target, prediction = is_colour(picture, TARGET), is_colour(picture, PREDICTION)
    assert target.sum() == 2 * (20 + 24) - 4  # the border pixels of a rectangle of 20 x 24
    assert large[target].all()
    assert prediction.any()
    assert not large[prediction].any()


def test_touching_objects_are_told_apart():
    labels = np.zeros((20, 30), np.int32)
    labels[5:15, 5:15], labels[5:15, 15:25] = 7, 300
    outline = is_colour(overlay(GREY, target=labels, scale=1), TARGET)
    assert outline[5:15, 14:16].all()
    assert not outline[6:14, 16:24].any()


@pytest.mark.parametrize("width", [1, 3])
def test_outlines_and_strokes_are_the_same_in_bands(monkeypatch, width):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, (12, 9)).repeat(6, 0).repeat(7, 1)
    labels[30:34] = 0
    strokes = torch.zeros(1, 2, *labels.shape, dtype=torch.bool)
    strokes[0, 0, 3:9, 20], strokes[0, 1, 71, 2:60] = True, True
    image = np.full((*labels.shape, 3), 128, np.uint8)
    said = Interactions.of(torch.zeros(1, 0, 4), labels.shape, strokes)
    whole = overlay(image, labels == 1, labels, said, scale=1, width=width)
    for band in (1, 2, 7, 50):
        monkeypatch.setattr("zoo.images.drawing.BAND", band)
        np.testing.assert_array_equal(overlay(image, labels == 1, labels, said, scale=1, width=width), whole)


def test_strokes_are_widened_as_in_the_whole_picture():
    for place in [(0, 0), (20, 63), (39, 30), (12, 12)]:
        raster = np.zeros((40, 64), bool)
        raster[place] = True
        for pixels in (1, 2, 5):
            expected = ndimage.binary_dilation(raster, np.ones((pixels + 1, pixels + 1)))
            np.testing.assert_array_equal(_widened(raster, pixels), expected)


def test_wider_outlines_stay_on_their_side():
    mask = np.zeros((20, 30), bool)
    mask[4:16, 4:16] = True
    outline = is_colour(overlay(GREY, target=mask, scale=1, width=2), TARGET)
    assert outline.sum() == 12**2 - 8**2
    assert mask[outline].all()


def test_clicks_are_signs_with_a_halo():
    clicks = Interactions.from_lists([[Click(8.5, 6.5), Click(20.5, 12.5, positive=False, turn=1)]], (20, 30))
    picture = overlay(GREY, interactions=clicks, scale=4)
    plus, minus = is_colour(picture, POSITIVE), is_colour(picture, NEGATIVE)
    assert plus[26, 34]
    assert minus[50, 82]
    rows, columns = plus.nonzero()
    assert np.ptp(rows) == np.ptp(columns) > 4
    rows, columns = minus.nonzero()
    assert np.ptp(columns) > 4 > np.ptp(rows)
    assert is_colour(picture, (255, 255, 255)).any()


def test_signs_at_the_border_and_padding():
    clicks = Interactions.from_lists([[Click(0, 0), Click(29.9, 19.9, turn=1)], []], (20, 30))
    picture = overlay(GREY, interactions=clicks, scale=2)
    assert is_colour(picture, POSITIVE)[0, 0]
    assert is_colour(picture, POSITIVE)[-1, -1]


def test_strokes_and_boxes():
    said = Interactions.from_lists(
        [[Scribble(((3, 3), (10, 3))), Scribble(((3, 9), (10, 9)), positive=False), Box(12, 4, 20, 16)]], (20, 30)
    )
    picture = overlay(GREY, interactions=said, scale=1)
    assert is_colour(picture, POSITIVE)[3, 3:11].all()
    assert is_colour(picture, NEGATIVE)[9, 3:11].all()
    white = is_colour(picture, (255, 255, 255))
    assert white[4, 12:20].all()
    assert white[15, 12:20].all()
    assert white.sum() == 2 * (8 + 12) - 4


def test_thin_strokes_are_drawn_wide_enough_to_be_seen():
    grey = np.full((400, 500, 3), 128, np.uint8)
    said = Interactions.from_lists([[Scribble(((100, 200), (300, 200)))]], (400, 500))
    picture = overlay(grey, interactions=said, scale=1)
    column = picture[:, 150]
    assert is_colour(column, POSITIVE).nonzero()[0].tolist() == [198, 199, 200, 201]
    assert is_colour(column, (255, 255, 255)).nonzero()[0].tolist() == [197, 202]
    large = overlay(grey[:100, :125], interactions=Interactions.from_lists([[Scribble(((9, 9), (9, 50)))]], (100, 125)))
    assert is_colour(large[60], POSITIVE).nonzero()[0].tolist() == [27, 28, 29]  # its own 3 px are enough


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 60), st.integers(1, 60), st.integers(0, 59), st.integers(0, 59), st.integers(1, 30),
    st.integers(5, 70),
)  # fmt: skip
def test_square_holds_the_object_and_lies_inside(height, width, y, x, smallest, largest):
    mask = np.zeros((height, width), bool)
    mask[min(y, height - 1), min(x, width - 1)] = True
    rows, columns = square(mask, smallest, max(smallest, largest))
    part = mask[rows, columns]
    assert part.any()
    assert rows.start >= 0
    assert columns.start >= 0
    side = min(max(smallest, 2), max(smallest, largest))
    assert part.shape == (min(side, height), min(side, width))


def test_square_without_an_object_is_the_middle():
    assert square(np.zeros((100, 40)), 10, 50) == (slice(25, 75), slice(0, 50))


def test_png_keeps_every_pixel():
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(png(picture)))), picture)


def test_jpeg_keeps_an_outline_of_one_pixel():
    picture = np.full((64, 64, 3), 200, np.uint8)
    picture[32] = TARGET
    found = np.asarray(Image.open(BytesIO(jpeg(picture)))).astype(int)
    assert abs(found - picture).max() <= 32


def slow_standard_error(values: np.ndarray, groups: np.ndarray) -> list[float]:
    out = []
    for column in values.T:
        mean, total = column.mean(), 0.0
        for name in set(groups.tolist()):
            total += sum(v - mean for v, g in zip(column, groups, strict=True) if g == name) ** 2
        count = len(set(groups.tolist()))
        out.append((total * count / (count - 1)) ** 0.5 / len(column) if count > 1 else 0.0)
    return out


@pytest.mark.parametrize("groups", [[5, 5, 9, 9, 9, 2], [1] * 6, list(range(6))])
def test_standard_error_by_a_slow_loop(groups):
    values = np.random.default_rng(3).random((6, 4))
    assert standard_error(values, np.array(groups)) == pytest.approx(slow_standard_error(values, np.array(groups)))


def test_standard_error_of_independent_samples_is_the_usual_one():
    values = np.random.default_rng(1).random((50, 1))
    usual = values.std(ddof=1) / 50**0.5
    assert standard_error(values, np.arange(50))[0] == pytest.approx(usual)


def test_figures_are_pictures():
    sessions = Sessions("a", np.array([[0.5, 0.9], [0.4, np.nan]]), np.zeros(2), np.array([0, 1]))
    for content in curves([sessions], 2), success([sessions], 2, 0.8):
        assert content.startswith(b"\x89PNG")
    assert panels([("s", [("i", GREY)] * 2, [("m", [("x", GREY)])])]).startswith(b"\xff\xd8")


def test_no_two_curves_look_alike():
    """Among as many methods as there are pairs of a colour and a kind of line."""
    axes = Figure().add_subplot()
    count = len(COLOURS) * len(LINES)
    session = Sessions("a", np.zeros((1, 2)), np.zeros(1), np.zeros(1, int))
    for number in range(count):
        _line(axes, np.arange(2), np.zeros(2), number, session)
    looks = [(line.get_color(), line.get_linestyle()) for line in axes.lines]
    assert len(set(looks)) == count
    marked = [(line.get_color(), line.get_marker()) for line in axes.lines]
    assert len(set(marked)) == count


def test_curves_begin_before_the_first_interaction_where_there_is_a_prediction():
    ious, image = np.array([[0.5, 0.9], [0.7, np.nan]]), np.array([0, 1])
    empty = Sessions("a", ious, np.zeros(2), image)
    begun = Sessions("b", ious, np.array([0.6, 0.0]), image)
    silent = Sessions("c", np.full((1, 2), np.nan), np.array([0.8]), image[:1])
    assert first_interaction([empty]) == 1
    assert first_interaction([empty, begun]) == 0
    assert begun.filled(3).tolist() == [[0.6, 0.5, 0.9, 0.9], [0.0, 0.7, 0.7, 0.7]]
    assert silent.filled(2).tolist() == [[0.8] * 3]


def record(number: int, score: float) -> Record:
    return Record(number, 0, score, (), (), Interactions.empty(1, (2, 2)))


def test_samples_are_chosen_by_rank():
    scores = [0.3, 0.9, 0.1, 0.5, 0.7, 0.6, 0.2, 0.8, 0.4, 1.0, 0.0]
    assert choose([record(i, s) for i, s in enumerate(scores)]) == {"good": 1, "median": 3, "worst": 10}
    assert choose([record(4, 0.5)]) == {"worst": 4}
    assert choose([record(4, 0.5), record(2, 0.6)]) == {"good": 2, "worst": 4}


def test_traces_hold_all_kinds_of_interactions():
    said = Interactions.from_lists(
        [[Click(1.5, 2.5), Box(0, 0, 2, 3, turn=1), Scribble(((1, 1), (3, 1)), turn=2)]], (5, 6)
    )
    trace = Record(3, 1, 0.5, (0.4, 0.6), (0.1, 0.2), said.add(Interactions.empty(1, (5, 6)))).trace()
    assert trace["clicks"] == [[[1.5, 2.5, 1.0, 0.0]]]
    assert trace["boxes"] == [[[0.0, 0.0, 2.0, 3.0, 1.0]]]
    assert trace["strokes"] == [{"positive": [[1, 1], [2, 1], [3, 1]], "negative": []}]

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo import Box, Click, Scribble
from zoo.errors import ConfigError
from zoo.inference.zoom import InteractionWindow, WholeImage
from zoo.interactions import Interaction, Interactions
from zoo.ops.frame import Frame

SIZE = (200, 300)


def window(*samples: list[Interaction], side: int = 64, size: tuple[int, int] = SIZE) -> Frame:
    said = Interactions.from_lists(samples, size)
    return InteractionWindow(side)(said, torch.zeros(len(samples), 1, *size))


def corners(frame: Frame) -> list[tuple[float, float, float]]:
    return list(zip(frame.x0.tolist(), frame.y0.tolist(), frame.scale.tolist(), strict=True))


@pytest.mark.parametrize(("height", "width", "expected"), [(64, 96, (64, 96)), (65, 95, (96, 96)), (1, 1, (32, 32))])
def test_the_whole_image_is_padded_to_a_multiple(height, width, expected):
    frame = WholeImage()(Interactions.empty(2, (height, width)), torch.zeros(2, 1, height, width))
    assert frame.size == expected
    assert corners(frame) == [(0, 0, 1)] * 2
    image = torch.rand(2, 3, height, width)
    assert torch.equal(frame.crop(image)[..., :height, :width], image)
    assert torch.equal(frame.paste(frame.crop(image), torch.zeros_like(image)), image)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (150.5, 100.5, (118, 68)),
        (150.0, 100.99, (118, 68)),
        (3.5, 100.5, (0, 68)),
        (299.5, 199.5, (236, 136)),
        (300.0, 0.0, (236, 0)),
    ],
)
def test_a_click_is_in_the_middle_unless_at_the_border(x, y, expected):
    frame = window([Click(x, y)])
    assert corners(frame) == [(*expected, 1)]
    assert frame.size == (64, 64)


def test_a_smaller_image_lies_in_the_middle():
    frame = window([Click(5.5, 5.5)], size=(20, 31))
    assert corners(frame) == [(-17, -22, 1)]
    image = torch.rand(1, 3, 20, 31)
    crop = frame.crop(image)
    assert torch.equal(crop[..., 22:42, 17:48], image)
    assert torch.equal(frame.paste(crop, torch.zeros_like(image)), image)


def test_corrections_inside_leave_the_window_where_it_is():
    first = window([Click(150.5, 100.5)])
    later = window([Click(150.5, 100.5), Click(175.5, 90.5, turn=1), Click(20.5, 20.5, positive=False, turn=2)])
    assert corners(later) == corners(first)


def test_a_positive_click_outside_recentres():
    frame = window([Click(150.5, 100.5), Click(190.5, 110.5, turn=1)])
    assert corners(frame) == [(170 - 32, 105 - 32, 1)]


def test_far_clicks_shrink_the_crop_until_all_fit():
    frame = window([Click(50.5, 60.5), Click(177.5, 100.5, turn=1)])
    # 128 columns from 50 to 178
    assert corners(frame) == [(50, 80.5 - 64, 0.5)]
    inside = frame.points(torch.tensor([[[50.5, 60.5], [177.5, 100.5]]]))
    assert inside.min() >= 0
    assert inside.max() <= 64


def test_a_scribble_is_centred_and_scaled_by_its_box():
    short = window([Scribble(((100.5, 50.5), (120.5, 60.5)))])
    assert corners(short) == [(110 - 32, 55 - 32, 1)]
    long = window([Scribble(((20.5, 50.5), (147.5, 50.5)))])
    # 128 columns from 20 to 148 in 64 pixels
    assert corners(long) == [(20, 50.5 - 64, 0.5)]


def test_a_box_alone_is_centred_and_scaled():
    assert corners(window([Box(140, 90, 160, 110)])) == [(118, 68, 1)]
    assert corners(window([Box(20, 50, 148, 82)])) == [(20, 2, 0.5)]


def test_only_negative_or_nothing():
    assert corners(window([Click(150.5, 100.5, positive=False)])) == [(118, 68, 1)]
    nothing = window([])
    assert nothing.scale.item() == pytest.approx(64 / 300)


@given(st.lists(st.tuples(st.floats(0, 299.9), st.floats(0, 199.9)), min_size=1, max_size=4))
def test_the_pixels_of_all_positive_clicks_are_seen(places):
    said = [Click(x, y, turn=turn) for turn, (x, y) in enumerate(places)]
    interactions = Interactions.from_lists([said], (200, 300))
    frame = InteractionWindow(64)(interactions, torch.zeros(0))
    seen = frame.points(interactions.points[..., :2])
    assert seen.min() >= 0
    assert seen.max() < 64


def test_a_click_on_the_line_between_two_pixels_is_seen_at_the_edge_of_a_window_that_shrinks():
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        places = torch.randint(0, 200, (2, 2), generator=generator).tolist()
        interactions = Interactions.from_lists([[Click(x, y) for x, y in places]], SIZE)
        frame = InteractionWindow(16)(interactions, torch.zeros(0))
        assert frame.points(interactions.points[..., :2]).min() >= 0


def test_a_negative_click_does_not_move_what_a_scribble_or_a_box_shows():
    far = Click(20.5, 180.5, positive=False, turn=1)
    for near in Scribble(((100.5, 50.5), (120.5, 60.5))), Box(140, 90, 160, 110):
        assert corners(window([near, far])) == corners(window([near]))


@pytest.mark.parametrize("make", [lambda: InteractionWindow(0), lambda: InteractionWindow(-5), lambda: WholeImage(0)])
def test_a_window_without_pixels_is_an_error(make):
    with pytest.raises(ConfigError, match="1"):
        make()


def test_a_window_does_not_depend_on_its_batch():
    samples = [
        [Click(150.5, 100.5)],
        [],
        [Click(50.5, 60.5), Click(178.5, 100.5, turn=1)],
        [Scribble(((20.5, 50.5), (147.5, 50.5))), Click(3.5, 3.5, positive=False)],
        [Click(250.5, 10.5, positive=False), Click(30.5, 10.5, turn=3)],
    ]
    assert corners(window(*samples)) == [corners(window(sample))[0] for sample in samples]
    assert len(window(*[[]] * 0)) == 0


@pytest.mark.parametrize(
    ("size", "scaled"), [((768, 768), 1.0), ((522, 1129), 1.0), ((1536, 1536), 0.5), ((4000, 100), 1.0)]
)
def test_a_large_image_is_scaled_to_the_pixels_that_training_saw(size, scaled):
    frame = WholeImage()(Interactions.empty(2, size), torch.zeros(2, 1, *size))
    assert frame.scale.tolist() == [scaled] * 2
    assert frame.size == tuple(-(-round(side * scaled) // 32) * 32 for side in size)
    assert WholeImage().largest(size) == frame.size
    assert WholeImage(most=None).largest(size) == tuple(-(-side // 32) * 32 for side in size)


def test_it_is_averaged_by_area():
    image = torch.rand(1, 3, 512, 512)
    seen = WholeImage(most=128)(Interactions.empty(1, (512, 512)), image).crop(image)
    torch.testing.assert_close(seen, torch.nn.functional.avg_pool2d(image, 4), rtol=0, atol=1e-5)


def test_a_large_image_that_may_not_be_scaled_is_seen_in_a_window():
    zoom = WholeImage(most=128, shrink=1)
    for small in ((128, 128), (100, 160)):  # as many pixels at most
        assert zoom(Interactions.empty(1, small), torch.zeros(1, 1, *small)).scale.tolist() == [1]
        assert zoom.largest(small) == tuple(-(-side // 32) * 32 for side in small)
    size = (500, 400)
    assert zoom.largest(size) == (128, 128)

    def seen(*said: Click) -> list[float]:
        rows: list[float] = (
            zoom(Interactions.from_lists([list(said)], size), torch.zeros(1, 1, *size)).rows()[0].tolist()
        )
        return rows

    assert seen(Click(200.5, 300.5)) == [136, 236, 1, 128, 128]
    assert seen(Click(2.5, 499.5)) == [0, 372, 1, 128, 128]
    assert seen(Click(200.5, 300.5), Click(20.5, 20.5, positive=False)) == [136, 236, 1, 128, 128]
    x0, y0, scale, *_ = seen(Click(100.5, 100.5), Click(300.5, 120.5))  # farther apart than the window is wide
    assert (x0, scale) == (100, pytest.approx(128 / 201))
    assert 0 <= y0 <= 100


def test_clicks_far_apart_in_a_slide_are_all_seen():
    generator = torch.Generator().manual_seed(0)
    size = (20_000, 20_000)
    for _ in range(200):
        places = (torch.randint(0, size[0], (2, 2), generator=generator) + 0.5).tolist()
        interactions = Interactions.from_lists([[Click(x, y) for x, y in places]], size)
        frame = WholeImage()(interactions, torch.zeros(0))
        seen = frame.points(interactions.points[..., :2])
        assert seen.min() >= 0
        assert seen.max() < 768


def test_the_cap_is_a_side_that_a_network_can_see():
    with pytest.raises(ConfigError, match="most=16"):
        WholeImage(most=16)
    with pytest.raises(ConfigError, match="shrink=0"):
        WholeImage(shrink=0)

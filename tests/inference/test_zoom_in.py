from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from zoo.errors import ConfigError
from zoo.inference.zoom import InteractionWindow
from zoo.inference.zoom_in import WiderWindow, ZoomIn
from zoo.interactions import Interactions
from zoo.ops.frame import Frame

Box = tuple[Fraction, Fraction, Fraction, Fraction]
Clicks = list[tuple[float, float, int]]
SIZE = (90, 120)
NEVER = (0.0, 0.0, 0.0, 0.0, 0.0)


def reference(
    zoom: ZoomIn, probability: Tensor, clicks: Clicks, last: tuple[float, ...]
) -> tuple[tuple[float, ...], bool]:
    """One sample's frame in exact arithmetic, pixel by pixel, and whether the last one stayed."""
    height, width = probability.shape
    whole = (0.0, 0.0, 1.0, float(-(-height // 32) * 32), float(-(-width // 32) * 32))
    pixels = [(c, r) for r, c in np.argwhere(probability.numpy() > zoom.threshold).tolist()]
    if len(clicks) <= zoom.skip or not pixels:
        return whole, False
    positive = [(floor(x), floor(y)) for x, y, label in clicks if label == 1]
    box = []
    for axis, limit in ((0, width), (1, height)):
        low = min(p[axis] for p in pixels + positive)
        high = max(p[axis] for p in pixels + positive) + 1
        half = max((high - low) * Fraction(zoom.expand).limit_denominator(100), Fraction(zoom.least)) / 2
        middle = Fraction(low + high, 2)
        box.append((max(floor(middle - half), 0), min(ceil(middle + half), limit)))
    longest = max(high - low for low, high in box)
    crops, starts = [], []
    for (low, high), limit in zip(box, (width, height), strict=True):
        crop = zoom.side
        if zoom.aspect == "keep":
            crop = ceil(Fraction((high - low) * zoom.side, longest * 32)) * 32
        extent = Fraction(crop * longest, zoom.side)
        if extent > limit:
            low, high = 0, limit
        start = max(Fraction(floor((low + high - extent) / 2)), high - extent)
        if extent <= limit:
            start = min(max(start, Fraction(0)), limit - extent)
        crops.append(crop)
        starts.append(start)
    fresh = (float(starts[0]), float(starts[1]), zoom.side / longest, float(crops[1]), float(crops[0]))
    if last in (NEVER, whole):
        return fresh, False
    new, old = edges(fresh), edges(last)
    shared = max(min(new[2], old[2]) - max(new[0], old[0]), Fraction(0))
    shared *= max(min(new[3], old[3]) - max(new[1], old[1]), Fraction(0))
    union = area(new) + area(old) - shared
    holds = all(old[0] <= x and x + 1 <= old[2] and old[1] <= y and y + 1 <= old[3] for x, y in positive)
    stays = holds and shared >= Fraction(zoom.keep) * union
    return (last, True) if stays else (fresh, False)


def edges(row: tuple[float, ...]) -> Box:
    """A crop's x0, y0, x1, y1 in the image; scales are quotients of whole numbers."""
    x0, y0, scale, height, width = row
    exact = 1 / Fraction(scale).limit_denominator(1000)
    x, y = Fraction(x0).limit_denominator(1000), Fraction(y0).limit_denominator(1000)
    return x, y, x + Fraction(width) * exact, y + Fraction(height) * exact


def area(box: Box) -> Fraction:
    return (box[2] - box[0]) * (box[3] - box[1])


def batch(samples: list[Clicks], size: tuple[int, int] = SIZE) -> Interactions:
    longest = max(map(len, samples))
    padded = torch.tensor([[*s, *[(0.0, 0.0, -1)] * (longest - len(s))] for s in samples]).reshape(-1, longest, 3)
    return Interactions.clicks(padded[..., 0], padded[..., 1], padded[..., 2], 0, size)


def masks(*boxes: tuple[int, int, int, int] | None, size: tuple[int, int] = SIZE) -> Tensor:
    """(B, 1, H, W), probability .9 in x0, y0, x1, y1 and .2 outside."""
    out = torch.full((len(boxes), 1, *size), 0.2)
    for i, box in enumerate(boxes):
        if box is not None:
            out[i, 0, box[1] : box[3], box[0] : box[2]] = 0.9
    return out


def turn(zoom: ZoomIn, said: Interactions, probability: Tensor, last: Tensor | None = None) -> Tensor:
    """(B, 5): the rows of all samples, from whatever groups they come in."""
    rows = torch.full((len(said), 5), torch.nan, dtype=torch.float64)
    for index, frame in zoom.frames(said, probability, torch.zeros_like(rows) if last is None else last):
        assert rows[index].isnan().all()
        rows[index] = frame.rows()
    assert not rows.isnan().any()
    return rows


@st.composite
def sessions(draw: st.DrawFn) -> tuple[ZoomIn, tuple[int, int], list[list[tuple[Tensor, Clicks]]]]:
    """A policy, an image size, and the masks and clicks of some samples in three turns."""
    zoom = ZoomIn(
        side=draw(st.sampled_from((32, 64, 96))),
        expand=draw(st.sampled_from((1.0, 1.25, 1.4, 2.0))),
        least=draw(st.sampled_from((1, 10, 21, 60))),
        skip=draw(st.integers(0, 2)),
        keep=draw(st.sampled_from((0.25, 0.5, 0.75))),
        aspect=draw(st.sampled_from(("square", "keep"))),
        most=4096,
    )
    height, width = size = draw(st.sampled_from(((90, 120), (40, 25), (64, 64), (20, 150))))
    rows, columns = st.integers(0, height - 1), st.integers(0, width - 1)
    inner = st.sampled_from((0.0, 0.5, 0.984375))
    samples = []
    for _ in range(draw(st.integers(1, 3))):
        clicks: Clicks = []
        turns = []
        y, x = sorted((draw(rows), draw(rows))), sorted((draw(columns), draw(columns)))
        for _ in range(3):
            if draw(st.booleans()):
                y, x = sorted((draw(rows), draw(rows))), sorted((draw(columns), draw(columns)))
            full = (x[0], y[0], x[1] + 1, y[1] + 1)
            mask = masks(None if draw(st.integers(0, 5)) == 0 else full, size=size)[0, 0]
            click = (draw(columns) + draw(inner), draw(rows) + draw(inner), draw(st.integers(0, 1)))
            clicks = [*clicks, click]
            turns.append((mask, clicks))
        samples.append(turns)
    return zoom, size, samples


@settings(max_examples=50)
@given(sessions())
def test_frames_are_the_references_whatever_the_batch(
    session: tuple[ZoomIn, tuple[int, int], list[list[tuple[Tensor, Clicks]]]],
) -> None:
    zoom, size, samples = session
    last = torch.zeros(len(samples), 5, dtype=torch.float64)
    for now in zip(*samples, strict=True):
        said, probability = batch([clicks for _, clicks in now], size), torch.stack([m for m, _ in now])[:, None]
        rows = turn(zoom, said, probability, last)
        for i, (mask, clicks) in enumerate(now):
            expected, stayed = reference(zoom, mask, clicks, tuple(last[i].tolist()))
            torch.testing.assert_close(rows[i], torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-9)
            if stayed:
                assert torch.equal(rows[i], last[i])
            if len(clicks) > zoom.skip and bool((mask > 0.5).any()):
                check_crop(zoom, rows[i], mask, clicks, stayed)
        last = rows


def check_crop(zoom: ZoomIn, row: Tensor, mask: Tensor, clicks: Clicks, stayed: bool) -> None:
    """It holds what it has to, has the shape that was asked for, and lies inside where it fits."""
    x0, y0, scale, height, width = row.tolist()
    x1, y1 = x0 + width / scale, y0 + height / scale
    pixels = [(floor(x), floor(y)) for x, y, label in clicks if label == 1]
    if not stayed:
        pixels += [(c, r) for r, c in np.argwhere(mask.numpy() > 0.5).tolist()]
    for c, r in pixels:
        assert x0 - 1e-9 <= c < c + 1 <= x1 + 1e-9
        assert y0 - 1e-9 <= r < r + 1 <= y1 + 1e-9
    assert max(height, width) == zoom.side
    assert height % 32 == width % 32 == 0
    if zoom.aspect == "square":
        assert height == width
    for low, high, limit in ((x0, x1, mask.shape[1]), (y0, y1, mask.shape[0])):
        if high - low <= limit:
            assert low >= 0
            assert high <= limit + 1e-9
        else:
            assert low <= 1e-9
            assert high >= limit - 1e-9


def one(
    zoom: ZoomIn, box: tuple[int, int, int, int] | None, clicks: Clicks, size: tuple[int, int] = SIZE
) -> list[float]:
    rows: list[float] = turn(zoom, batch([clicks], size), masks(box, size=size))[0].tolist()
    return rows


FAR = [(50.5, 40.5, 1), (1.5, 1.5, 0)]


def test_worked_example():
    # 20 x 10 around (50, 45): 1.5 times is 30 x 15, at least 20 high, squared to 30.
    zoom = ZoomIn(side=64, expand=1.5, least=20)
    assert one(zoom, (40, 40, 60, 50), FAR) == [35, 30, 64 / 30, 64, 64]
    assert one(ZoomIn(side=64, expand=1.5, least=20, aspect="keep"), (40, 40, 60, 50), FAR) == [
        *[35, 30, 64 / 30, 64, 64]  # 20 of 30 are 42.7 of 64 crop pixels, two multiples of 32
    ]
    # 10 times 1.2 is 12, 12 of 24 are 32 of 64.
    assert one(ZoomIn(side=64, expand=1.2, least=1, aspect="keep"), (40, 40, 60, 50), FAR) == [38, 39, 64 / 24, 32, 64]


@pytest.mark.parametrize("clicks", [1, 2])
def test_before_the_first_zoom_and_without_a_mask_the_image_is_whole(clicks):
    box = (40, 40, 60, 50) if clicks == 1 else None
    assert one(ZoomIn(side=64), box, FAR[:clicks]) == [0, 0, 1, 96, 128]


def test_what_is_just_at_the_threshold_is_no_mask():
    said, at = batch([FAR]), torch.full((1, 1, *SIZE), 0.5)
    assert turn(ZoomIn(side=64), said, at)[0].tolist() == [0, 0, 1, 96, 128]


@pytest.mark.parametrize("corner", [(0.0, 0.0), (119.99, 0.0), (0.0, 89.99), (119.99, 89.99)])
def test_clicks_in_corners_are_held(corner):
    x0, y0, scale, height, width = one(ZoomIn(side=64, least=10), (55, 40, 65, 50), [(*corner, 1), (60.5, 45.5, 1)])
    assert x0 <= corner[0] < x0 + width / scale
    assert y0 <= corner[1] < y0 + height / scale


def test_negative_clicks_do_not_widen_the_box():
    zoom, box = ZoomIn(side=64, least=10), (40, 40, 60, 50)
    assert one(zoom, box, FAR) == one(zoom, box, [(50.5, 40.5, 1), (110.5, 80.5, 0)])


def test_positive_strokes_widen_the_box():
    said, probability = batch([FAR]), masks((40, 40, 60, 50))
    strokes = torch.zeros(1, 2, *SIZE, dtype=torch.bool)
    strokes[0, 0, 45, 60:100] = True
    strokes[0, 1, 5, :] = True
    drawn = Interactions.of(said.points, SIZE, strokes)
    zoom = ZoomIn(side=96, expand=1, least=1)
    assert turn(zoom, drawn, probability).tolist() == turn(zoom, said, masks((40, 40, 100, 50))).tolist()


@pytest.mark.parametrize("skip", [0, 1])
def test_a_box_is_held_and_looked_closer_at_without_a_click(skip):
    boxes = torch.tensor([[[10.0, 10.0, 30.0, 30.0, 0.0]]])
    said = Interactions.of(torch.zeros(1, 0, 4), SIZE, boxes=boxes)
    zoom = ZoomIn(side=32, expand=1.0, least=1, skip=skip, most=4096)
    (shown,), (first,) = (turn(zoom, said, mask).tolist() for mask in (masks((14, 14, 40, 26)), masks(None)))
    assert shown == (first if skip else pytest.approx([10, 5, 32 / 30, 32, 32]))


@pytest.mark.parametrize("size", [(20, 30), (150, 12), (1, 1)])
def test_an_image_smaller_than_the_box_lies_in_the_middle(size):
    height, width = size
    x0, y0, scale, *_ = one(ZoomIn(side=64, least=200), (0, 0, width, height), [(0.5, 0.5, 1)] * 2, size)
    extent = max(size)
    assert (x0, y0, scale) == ((width - extent) // 2, (height - extent) // 2, 64 / extent)


@pytest.mark.parametrize(
    ("moved", "stays"),
    [
        ((20, 20, 40, 40), True),
        ((20, 20, 40, 30), True),  # squared
        ((26, 20, 46, 40), True),  # 14 of 26 columns
        ((27, 20, 47, 40), False),  # 13 of 27
        ((20, 20, 60, 40), False),  # squared, a quarter
        ((30, 30, 40, 40), False),
    ],
)
def test_the_box_stays_while_it_overlaps(moved, stays):
    zoom = ZoomIn(side=64, expand=1, least=1)
    clicks = [(31.5, 31.5, 1), (31.5, 31.5, 1)]
    first = turn(zoom, batch([clicks]), masks((20, 20, 40, 40)))
    after = turn(zoom, batch([clicks]), masks(moved), first)
    assert torch.equal(after, first) == stays
    if not stays:
        assert torch.equal(after, turn(zoom, batch([clicks]), masks(moved)))


@pytest.mark.parametrize("keep", [0.5, 0.51])
def test_an_overlap_of_exactly_keep_stays(keep):
    zoom = ZoomIn(side=96, expand=1, least=1, keep=keep)
    clicks = [(31.5, 31.5, 1), (31.5, 31.5, 1)]
    first = turn(zoom, batch([clicks]), masks((20, 20, 41, 41)))
    after = turn(zoom, batch([clicks]), masks((27, 20, 48, 41)), first)  # 14 of 28 columns
    assert torch.equal(after, first) == (keep == 0.5)


@pytest.mark.parametrize(
    ("x", "label", "stays"), [(39.5, 1, True), (40.5, 1, False), (40.5, 0, True), (19.9, 1, False)]
)
def test_the_box_stays_while_it_holds_the_positive_clicks(x, label, stays):
    zoom = ZoomIn(side=64, expand=1, least=1)
    clicks = [(30.5, 30.5, 1), (30.5, 30.5, 1)]
    first = turn(zoom, batch([clicks]), masks((20, 20, 40, 40)))
    after = turn(zoom, batch([[*clicks, (x, 30.5, label)]]), masks((20, 20, 40, 40)), first)
    assert torch.equal(after, first) == stays


def test_a_whole_image_does_not_stay():
    zoom, said = ZoomIn(side=64, expand=1, least=1), batch([FAR])
    whole = turn(zoom, said, masks(None))
    big = masks((2, 2, 118, 88))
    assert torch.equal(turn(zoom, said, big, whole), turn(zoom, said, big))


@settings(max_examples=20)
@given(st.integers(1, 400), st.integers(1, 400), st.sampled_from((96, 352, 384)), st.sampled_from(("square", "keep")))
@example(201, 105, 384, "keep")
@example(49, 49, 384, "square")
def test_a_kept_box_does_not_drift(width, height, side, aspect):
    zoom, size = ZoomIn(side=side, expand=1, least=1, aspect=aspect), (401, 403)
    # At the far corner, where a crop with a short side begins between pixels.
    mask = (403 - width, 401 - height, 403, 401)
    said, probability = batch([[(402.5, 400.5, 1)] * 2], size), masks(mask, size=size)
    first = last = turn(zoom, said, probability)
    for _ in range(3):
        last = turn(zoom, said, probability, last)
        assert torch.equal(last, first)
    # The same from nothing: a box does not depend on rounding in earlier turns.
    assert torch.equal(first, turn(zoom, said, probability))


@pytest.mark.parametrize("aspect", ["square", "keep"])
def test_crops_show_the_image_and_go_back(aspect):
    size = (90, 120)
    ramp = torch.arange(120.0).expand(90, 120)[None, None] / 120
    zoom = ZoomIn(side=64, expand=1, least=1, aspect=aspect)
    ((index, frame),) = zoom.frames(batch([FAR]), masks((40, 37, 70, 50)), torch.zeros(1, 5, dtype=torch.float64))
    assert index.tolist() == [0]
    crop = frame.crop(ramp)
    assert crop.shape[-2:] == frame.size
    back = frame.paste(crop, torch.zeros(1, 1, *size))
    assert (back - ramp)[..., 37:50, 41:69].abs().max() < 1e-3
    assert (back[..., :28, :] == 0).all()


def test_as_a_policy_without_a_past_it_gives_square_frames():
    zoom = ZoomIn(side=64, expand=1, least=1, aspect="keep")
    frame = zoom(batch([FAR[:1], []]), masks((40, 40, 60, 50), None))
    assert isinstance(frame, Frame)
    assert frame.rows().tolist() == [[40, 35, 64 / 20, 64, 64], [0, -15, 64 / 120, 64, 64]]


@pytest.mark.parametrize(("size", "largest"), [((90, 120), (96, 128)), ((20, 400), (64, 416))])
def test_largest(size, largest):
    assert ZoomIn(side=64).largest(size) == largest


@pytest.mark.parametrize(
    "wrong", [{"side": 0}, {"side": 100}, {"expand": 0.9}, {"least": 0}, {"skip": -1}, {"looks": 0}, {"aspect": "x"}]
)
def test_wrong_arguments(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        ZoomIn(**wrong)


def test_a_whole_image_is_seen_in_twice_the_pixels_of_the_crop():
    said, nothing = batch([[(9.0, 9.0, 1)]], (1000, 600)), torch.zeros(1, 1, 1000, 600)
    assert turn(ZoomIn(side=384), said, nothing).tolist() == [[0, 0, pytest.approx(0.9914, abs=1e-4), 992, 608]]
    assert turn(ZoomIn(side=384, most=1024), said, nothing).tolist() == [[0, 0, 1, 1024, 608]]


def test_a_window_around_the_first_click_is_left_behind():
    zoom = ZoomIn(side=64, expand=2, least=16, first=InteractionWindow(32))
    assert zoom.window == 32
    click, size = (50.5, 40.5, 1), (90, 120)
    assert one(zoom, (46, 36, 56, 46), [click]) == [34, 24, 1, 32, 32]
    # Nothing was found there, however often it was said.
    assert one(zoom, None, [click, (49.5, 40.5, 1)]) == [34, 24, 1, 32, 32]
    # A small object, from nearer; one that the window cuts, with its surroundings.
    two = [click, (46.5, 36.5, 0)]
    assert one(zoom, (46, 36, 56, 46), two) == [41, 31, 64 / 20, 64, 64]
    assert one(zoom, (34, 24, 66, 56), two) == [18, 8, 1, 64, 64]
    # What was seen first is no box and does not stay.
    said, mask = batch([two], size), masks((34, 24, 66, 56))
    first = torch.tensor([[34.0, 24, 1, 32, 32]], dtype=torch.float64)
    assert torch.equal(turn(zoom, said, mask, first), turn(zoom, said, mask))


def test_bounds_that_are_known_take_the_place_of_the_mask():
    zoom, said = ZoomIn(side=64, least=10, skip=0), batch([[(30.0, 30.0, 1)]] * 2)
    mask, last = masks((10, 12, 40, 33), None), torch.zeros(2, 5, dtype=torch.float64)
    bounds = torch.tensor([[10.0, 12, 40, 33], [torch.inf, torch.inf, -torch.inf, -torch.inf]], dtype=torch.float64)
    for (one, found), (other, expected) in zip(
        zoom.frames(said, torch.zeros_like(mask), last, bounds), zoom.frames(said, mask, last), strict=True
    ):
        assert torch.equal(one, other)
        assert torch.equal(found.rows(), expected.rows())


@pytest.mark.parametrize("least", [20, 50, 200])
def test_a_wider_window_is_the_box_of_a_mask_where_something_positive_was_said(least):
    click, other = (70.5, 30.5, 1), (90.5, 50.5, 1)
    window = WiderWindow(ZoomIn(side=64, expand=1.5, least=8, aspect="keep"), least)
    closer = ZoomIn(side=64, expand=1.5, least=least, skip=0)
    for clicks, mask in (([click], (70, 30, 71, 31)), ([click, other], (70, 30, 91, 51))):
        said = batch([clicks, [*clicks, (5.5, 5.5, 0)]])
        assert window(said, masks(None, None)).rows().tolist() == turn(closer, said, masks(mask, mask)).tolist()
    assert window.largest(SIZE) == (64, 64)
    # Nothing positive was said.
    assert window(batch([[(5.5, 5.5, 0)]]), masks(None)).rows().tolist() == [[0, -15, 64 / 120, 64, 64]]


def test_wider_beginnings_differ_in_what_they_see_first():
    zoom = ZoomIn(side=64, least=16, skip=0, looks=3, first=InteractionWindow(32), wider=[48, 80], surer=0.1)
    said, found = batch([[(60.5, 45.5, 1)]]), masks((50, 40, 70, 50))
    assert [one.wider for one in zoom.wider] == [(), ()]
    assert [turn(each, said, masks(None)).tolist()[0][2] for each in (zoom, *zoom.wider)] == [1, 64 / 49, 64 / 81]
    assert len({tuple(turn(each, said, found)[0].tolist()) for each in (zoom, *zoom.wider)}) == 1


@pytest.mark.parametrize("wrong", [{"first": None}, {"skip": 1}, {"wider": [8]}, {"surer": -0.1}, {"surer": 1.5}])
def test_wider_windows_need_a_first_one(wrong):
    with pytest.raises(ConfigError, match="wider"):
        ZoomIn(**{"side": 64, "least": 16, "skip": 0, "first": InteractionWindow(32), "wider": [48]} | wrong)

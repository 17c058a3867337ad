"""Images that are scaled down to be seen first: what is said of them stays as small as the crops."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.inference.test_growth import Touched
from zoo import Click, Scribble, Session
from zoo.encoders import Disks
from zoo.inference.engine import Engine
from zoo.inference.layered import Layered, averaged
from zoo.inference.merging import MergingEngine
from zoo.inference.zoom import WholeImage
from zoo.inference.zoom_in import ZoomIn
from zoo.interactions import Interactions
from zoo.ops.frame import Frame
from zoo.segmenters import RITM

SIDE = 192


class Near(nn.Module):
    """Likely under positive guidance, as it was before elsewhere, and a little in the bright parts of the image."""

    def forward(self, joined: Tensor) -> Tensor:
        return 6 * joined[:, 3:4] - 6 * joined[:, 4:5] + 4 * joined[:, 5:6] - 3 + joined[:, :1]


def engine(whole: bool = False) -> Engine:
    zoom = WholeImage(32, most=64) if whole else ZoomIn(side=32, least=24, most=64)
    return RITM(Near(), encoder=Disks(radius=2), zoom=zoom).engine()


def image(side: int = SIDE, count: int = 1) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


TURNS = [
    [Click(60.5, 50.5)],
    [Click(66.5, 52.5, positive=False)],
    [Scribble(((10, 100), (60, 140)))],
    [Click(150.5, 150.5), Click(3.5, 2.5, positive=False)],
]


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("mpp", [None, 0.4])
def test_mask_and_probability_agree_and_undo_is_exact(whole: bool, begun: bool, mpp: float | None):
    session = Session(engine(whole), mpp=None if mpp is None else 0.5)
    mask = None
    if begun:
        mask = torch.zeros(1, 1, SIDE, SIDE)
        mask[..., 20:90, 100:130] = 1
    session.set_image(image(), mask, mpp)
    if begun and mpp is None:
        assert torch.equal(session.mask, mask > 0.5)
        assert torch.equal(session.probability, mask)
    seen = [(session.probability, session.mask)]
    for turn in TURNS:
        session.add(*turn)
        now = session._now.state["probability"]
        assert isinstance(now, Layered)
        worked_in = now.whole() > 0.5
        back = session.frame.inverse((SIDE, SIDE)) if session.frame is not None else None
        assert torch.equal(session.mask, worked_in if back is None else back.crop(worked_in.float()) > 0.5)
        for name, axis in (("rows", 1), ("columns", 0)):
            found, close = (each.nonzero()[:, 0] for each in (worked_in[0, 0].any(axis), session._now.state[name][0]))
            assert 0 <= found[0] - close[0] <= 2 * SIDE / 64
            assert 0 <= close[-1] - found[-1] <= 2 * SIDE / 64
        assert session.mask.any()
        seen.append((session.probability, session.mask))
    for probability, mask in seen[-2::-1]:
        session.undo()
        assert torch.equal(session.probability, probability)
        assert torch.equal(session.mask, mask)


def test_close_to_a_map_of_all_pixels(monkeypatch: pytest.MonkeyPatch):
    small = Session(engine())
    small.set_image(image())
    large = Session(engine())
    monkeypatch.setattr("zoo.inference.network_engine.NetworkEngine._seen_at", lambda *given: None)
    large.set_image(image())
    large.add(*TURNS[0])
    monkeypatch.undo()
    small.add(*TURNS[0])
    assert not isinstance(large._now.state["probability"], Layered)
    # The image is averaged in blocks of 3 pixels in place of points between them.
    torch.testing.assert_close(small.probability, large.probability, rtol=0, atol=0.1)
    assert (small.mask == large.mask).float().mean() > 0.99


def test_a_sample_does_not_depend_on_its_batch():
    turns = [[[Click(40.5 + 30 * i, 50.5 + 9 * t)] if i != t else [] for i in range(3)] for t in range(3)]
    batch = Session(engine())
    batch.set_image(image(count=3))
    for t, turn in enumerate(turns):
        batch.add(Interactions.from_lists(turn, (SIDE, SIDE)).at(t))
        if t == 1:
            batch.select(torch.tensor([2, 0]))
            turns[2] = [turns[2][2], turns[2][0]]
    for place, i in enumerate((2, 0)):
        alone = Session(engine())
        alone.set_image(image(count=3)[i : i + 1])
        for turn in (turns[0][i], turns[1][i], turns[2][place]):
            alone.add(*turn)
        torch.testing.assert_close(batch.probability[place : place + 1], alone.probability)
        assert torch.equal(batch.mask[place : place + 1], alone.mask)


def test_the_first_turn_costs_what_the_view_does():
    work, memory = [], []
    for side in (512, 1536):
        session = Session(engine())
        session.set_image(torch.zeros(1, 3, side, side))
        session.prepare()
        assert not session.mask.any()
        with Touched() as touched:
            session.add(Click(100.5, 90.5))
        work.append(touched.count)
        kept = session._history[0]
        assert isinstance(kept.change.values["probability"], Layered)
        memory.append(sum(edit.values.nbytes for edit in kept.mask.working))
        assert session.mask.any()
    assert work[1] < 1536 * 1536 / 4  # several operations in the object's box, none in the image
    # The object is seen as large as before, in 9 times as many pixels.
    assert memory[1] <= 12 * memory[0] < 1536 * 1536 / 8


def frame_of(x0: float, y0: float, scale: float, side: int) -> Frame:
    return Frame(*torch.tensor([[x0], [y0], [scale]], dtype=torch.float64), (side, side))


@pytest.fixture
def layered() -> Layered:
    """Two samples: a box of .7 below a view of the left part at half the scale, and crops in it, of the second one."""
    values = torch.zeros(2, 1, 60, 90)
    values[0, 0, 10:20, 50:70] = 0.7
    made = Layered.of(values, around=3)
    assert torch.equal(made.whole(), values)
    torch.manual_seed(0)
    for frame, where in [
        (frame_of(0, 0, 0.5, 32), [0, 1]),
        (frame_of(10.3, 4.2, 1.7, 32), [1]),
        (frame_of(2, 3, 1, 9), [1]),
    ]:
        index = torch.tensor(where)
        crops = torch.rand(len(where), 1, *frame.size)
        made = made.index_copy(0, index, made[index].covered(frame.select(torch.zeros_like(index)), crops))
    return made


def test_parts_and_samples(layered: Layered):
    whole = layered.whole()
    assert layered.shape == whole.shape == (2, 1, 60, 90)
    assert len(layered.layers) == 5
    for place in [(slice(5, 25), slice(20, 70)), (slice(3, 12), slice(2, 11)), (slice(0, 4), slice(80, 90))]:
        assert torch.equal(layered[..., *place], whole[..., *place])
    assert torch.equal(layered[0, ..., slice(12, 15), slice(31, 40)], whole[0, :, 12:15, 31:40])
    assert torch.equal(layered[torch.tensor([1, 0])].whole(), whole.flip(0))
    assert torch.equal(layered[torch.tensor([False, True])].whole(), whole[1:])
    assert torch.equal(layered + 0, whole)
    assert layered.numpy().sum() == whole.numpy().sum()
    with pytest.raises(TypeError, match="mul_"):
        layered.mul_(2)
    with pytest.raises(TypeError, match="kept in layers"):
        layered[0] = 1


def test_the_layers_are_what_pasting_gives(layered: Layered):
    pasted = torch.zeros(1, 1, 60, 90)
    for layer in layered.layers:
        if layer.sample == 1:
            pasted = layer.frame.paste(layer.values[None], pasted)
    torch.testing.assert_close(layered.whole()[1:], pasted)


def test_what_can_not_be_seen_is_dropped(layered: Layered):
    everything = frame_of(0, 0, 0.5, 45)
    two = everything.select(torch.tensor([0, 0]))
    now = layered.covered(two, torch.rand(2, 1, 45, 45))
    assert len(now.layers) == 2
    assert len(layered.layers) == 5
    closer = frame_of(20, 20, 1, 20).select(torch.tensor([0, 0]))
    assert len(now.covered(closer, torch.rand(2, 1, 20, 20)).layers) == 4


def test_what_a_frame_shows(layered: Layered):
    whole = layered.whole()
    for layer in layered.layers[-2:]:
        if layer.frame.size == (9, 9):
            assert torch.equal(layered[torch.tensor([1])].crop(layer.frame)[0], layer.values)
    same = frame_of(20, 6, 1, 20).select(torch.tensor([0, 0]))
    torch.testing.assert_close(layered.crop(same), same.crop(whole), rtol=0, atol=1e-5)


def test_a_frame_shows_what_each_layer_says_at_its_own_scale():
    """A plane stays one, however often it is scaled."""

    def plane(frame: Frame) -> Tensor:
        v, u = ((torch.arange(side) + 0.5) / frame.scale for side in frame.size)
        return (0.3 + 0.01 * (frame.x0 + u) - 0.004 * (frame.y0 + v)[:, None]).float()[None, None]

    made = Layered((1, 1, 60, 90), [], torch.zeros(1))
    for frame in (frame_of(0, 0, 0.5, 45), frame_of(30, 10, 1, 30), frame_of(40.5, 12.25, 1.6, 32)):
        made = made.covered(frame, plane(frame))
    for frame in (frame_of(35, 15, 3, 48), frame_of(10, 8, 0.7, 32), frame_of(42, 14, 1.6, 20)):
        torch.testing.assert_close(made.crop(frame), plane(frame), rtol=0, atol=0.012)  # edges are repeated


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_bounds_hold_all_pixels_above_and_little_more(data: st.DataObject):
    drawn = Layered((1, 1, 50, 70), [], torch.zeros(1))
    for _ in range(data.draw(st.integers(1, 4))):
        scale = data.draw(st.sampled_from([0.25, 0.37, 0.5, 1.0, 1.0, 1.9]))
        at = st.floats(-10, 60) if scale != 1 else st.integers(-10, 60)
        frame = frame_of(data.draw(at), data.draw(at), scale, data.draw(st.integers(4, 24)))
        torch.manual_seed(data.draw(st.integers(0, 99)))
        drawn = drawn.covered(
            frame, (torch.rand(1, 1, *frame.size) > data.draw(st.sampled_from([0.5, 0.99, 1]))).float()
        )
    above = drawn.whole()[0, 0] > 0.5
    x0, y0, x1, y1 = drawn.bounds(0.5)[0].tolist()
    if not above.any():
        return
    rows, columns = (above.any(axis).nonzero()[:, 0] for axis in (1, 0))
    assert x0 <= columns[0] <= columns[-1] < x1
    assert y0 <= rows[0] <= rows[-1] < y1


def test_bounds_are_a_pixel_large_at_most_at_the_image_s_scale_and_two_of_the_crop_s_else():
    for scale in (1, 0.5, 0.25):
        crop = torch.zeros(1, 1, 12, 12)
        crop[..., 4:7, 3:9] = 1
        drawn = Layered((1, 1, 80, 80), [], crop).covered(frame_of(8, 12, scale, 12), crop)
        cell = 1 / scale
        around = torch.tensor([8 + 3 * cell, 12 + 4 * cell, 8 + 9 * cell, 12 + 7 * cell])
        assert ((drawn.bounds(0.5)[0] - around).abs() <= max(1, cell / 2)).all()
        above = drawn.whole()[0, 0] > 0.5
        assert abs(int(above.any(0).sum()) - 6 * cell) <= cell


def test_a_very_large_image_is_seen_in_a_window_around_what_was_said():
    zoom = WholeImage(32, most=64)
    said = Interactions.from_lists([[Click(900.5, 30.5)], [Click(400.5, 500.5), Click(600.5, 500.5)]], (600, 1000))
    frame = zoom(said, torch.zeros(2, 1, 600, 1000))
    assert frame.size == zoom.largest((600, 1000)) == (64, 64)
    assert frame.rows()[:, :3].tolist() == [[744, 0, 0.25], [372, 344, 0.25]]
    far = Interactions.from_lists([[Click(100.5, 500.5), Click(900.5, 10.5)]], (600, 1000))
    (row,) = zoom(far, torch.zeros(1, 1, 600, 1000)).rows()[:, :3].tolist()
    assert row[2] < 0.25
    assert row[0] <= 100 < 900 <= row[0] + 64 / row[2]
    nothing = zoom(Interactions.empty(1, (600, 1000)), torch.zeros(1, 1, 600, 1000))
    assert nothing.rows()[0, :3].tolist() == [372, 172, 0.25]
    # Not where a quarter shows all of it.
    assert zoom(Interactions.empty(1, (250, 250)), torch.zeros(1, 1, 250, 250)).rows()[0, :2].tolist() == [0, 0]


def test_a_click_in_a_very_large_image():
    """What is segmented there is what is segmented in the part of the image around it."""
    pixels = image(1024)
    large, small = Session(engine()), Session(engine())
    large.set_image(pixels)
    place = slice(384, 640)
    small.set_image(pixels[..., place, place])
    turns = [[Click(512.5, 512.5)], [Click(530.5, 500.5)], [Click(516.5, 520.5, positive=False)]]
    for turn in turns:
        large.add(*turn)
        small.add(*(Click(each.x - 384, each.y - 384, each.positive) for each in turn))
    torch.testing.assert_close(large.probability[..., place, place], small.probability, rtol=0, atol=1e-5)
    assert torch.equal(large.mask[..., place, place], small.mask)
    assert small.mask.any()
    assert large.mask.sum() == small.mask.sum()
    # Another object, far away: what was said of the first stays.
    large.add(Click(60.5, 60.5))
    assert large.mask[..., :128, :128].any()
    large.undo()
    assert large.mask.sum() == small.mask.sum()


def test_blocks_are_averaged_first():
    frame = Frame(torch.zeros(1).double(), torch.zeros(1).double(), torch.full((1,), 0.25).double(), (16, 16))
    pixels = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(averaged(pixels, frame), nn.functional.avg_pool2d(pixels, 4), rtol=0, atol=1e-6)


def test_a_session_on_a_large_image_goes_on_from_a_mask_and_back():
    session = Session(engine())
    session.set_image(image())
    session.add(Click(60.5, 50.5))
    before = session.mask
    mask = torch.zeros(1, 1, SIDE, SIDE)
    mask[..., 20:90, 100:130] = 1
    session.go_on_from(mask)
    assert torch.equal(session.mask, mask > 0.5)
    session.undo()
    assert torch.equal(session.mask, before)


def test_what_is_merged_on_a_large_image_changes_near_what_was_said():
    session = Session(MergingEngine(engine(), 30.0))
    session.set_image(image())
    session.add(Click(60.5, 50.5))
    mask, rows = session.mask, torch.arange(SIDE)
    assert mask.any()
    far = ((rows[:, None] - 50) ** 2 + (rows - 60) ** 2 > 31**2)[None, None]
    assert not (mask & far).any()
    session.undo()
    assert not session.mask.any()

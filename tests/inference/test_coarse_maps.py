"""Images that are scaled down to be seen whole: what is said of them stays as small as the view."""

import pytest
import torch
from torch import Tensor, nn

from tests.inference.test_growth import Touched
from zoo import Click, Scribble, Session
from zoo.encoders import Disks
from zoo.inference.change import Edit
from zoo.inference.coarse import Coarse, averaged, of_view
from zoo.inference.engine import Engine
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
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("mpp", [None, 0.4])
def test_mask_and_probability_agree_and_undo_is_exact(whole: bool, given: bool, mpp: float | None):
    session = Session(engine(whole), mpp=None if mpp is None else 0.5)
    mask = None
    if given:
        mask = torch.zeros(1, 1, SIDE, SIDE)
        mask[..., 20:90, 100:130] = 1
    session.set_image(image(), mask, mpp)
    if given and mpp is None:
        assert torch.equal(session.mask, mask > 0.5)
        assert torch.equal(session.probability, mask)
    seen = [(session.probability, session.mask)]
    for turn in TURNS:
        session.add(*turn)
        now = session._now.state["probability"]
        assert isinstance(now, Coarse)
        worked_in = now.whole() > 0.5
        back = session.frame.inverse((SIDE, SIDE)) if session.frame is not None else None
        assert torch.equal(session.mask, worked_in if back is None else back.crop(worked_in.float()) > 0.5)
        for name, axis in (("rows", 2), ("columns", 1)):
            assert torch.equal(session._now.state[name].long(), worked_in[:, 0].sum(axis))
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
    monkeypatch.setattr("zoo.inference.network_engine.NetworkEngine._view", lambda *given: None)
    large.set_image(image())
    large.add(*TURNS[0])
    monkeypatch.undo()
    small.add(*TURNS[0])
    assert not isinstance(large._now.state["probability"], Coarse)
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
        assert isinstance(kept.change.values["probability"], Coarse)
        memory.append(sum(edit.values.nbytes for edit in kept.mask.working))
        assert session.mask.any()
    assert work[1] < 1536 * 1536 / 4  # several operations in the object's box, none in the image
    # The object is seen as large as before, in 9 times as many pixels.
    assert memory[1] <= 12 * memory[0] < 1536 * 1536 / 8


@pytest.fixture
def coarse() -> Coarse:
    values = torch.zeros(2, 1, 60, 90)
    values[0, 0, 10:20, 30:50] = 0.7
    frame = Frame(torch.zeros(2).double(), torch.zeros(2).double(), torch.full((2,), 0.5).double(), (32, 48))
    made = of_view(values, frame)
    assert torch.equal(made.whole(), values)
    return Coarse(torch.rand(2, 1, 32, 48), made.back, made.windows)


def test_parts_samples_and_changes(coarse: Coarse):
    whole = coarse.whole()
    assert coarse.shape == whole.shape == (2, 1, 60, 90)
    assert len(coarse.windows) == 1
    place = (slice(5, 25), slice(20, 70))
    assert torch.equal(coarse[..., *place], whole[..., *place])
    assert torch.equal(coarse[0, ..., slice(12, 15), slice(31, 40)], whole[0, :, 12:15, 31:40])
    assert torch.equal(coarse[torch.tensor([1, 0])].whole(), whole.flip(0))
    assert torch.equal(coarse[torch.tensor([False, True])].whole(), whole[1:])
    other = coarse.clone()
    edit = Edit(1, (slice(0, 60), slice(3, 9)), torch.ones(1, 60, 6))
    other[edit.index] = edit.values
    other[0, ..., slice(0, 60), slice(0, 90)] = torch.zeros(1, 60, 90)
    assert len(other.windows) == 2  # what was below can't be seen
    assert torch.equal(coarse.whole(), whole)
    whole[1, :, :, 3:9], whole[0] = 1, 0
    assert torch.equal(other, whole)
    assert torch.equal(coarse.index_copy(0, torch.tensor([1]), other[torch.tensor([1])]).whole()[1], whole[1])
    assert torch.equal(other + 0, whole)
    assert other.numpy().sum() == whole.numpy().sum()
    with pytest.raises(TypeError, match="mul_"):
        other.mul_(2)
    with pytest.raises(TypeError, match="box of one sample"):
        other[0] = 1


def test_what_a_frame_shows(coarse: Coarse):
    whole, view = coarse.whole(), coarse.back.inverse((32, 48))
    assert coarse.made_in(view)
    inside = (slice(6, 9), slice(16, 24))
    torch.testing.assert_close(coarse.crop(view)[0, :, *inside], view.crop(whole)[0, :, *inside])
    assert torch.equal(coarse.crop(view)[1], coarse.seen[1])
    x0, y0 = torch.tensor([[20.0, 3.0], [5.0, 30.5]], dtype=torch.float64)
    closer = Frame(x0, y0, torch.full_like(x0, 1.7), (32, 32))
    assert not coarse.made_in(closer)
    torch.testing.assert_close(coarse.crop(closer), closer.crop(whole), rtol=1e-4, atol=1e-5)


def test_blocks_are_averaged_first():
    frame = Frame(torch.zeros(1).double(), torch.zeros(1).double(), torch.full((1,), 0.25).double(), (16, 16))
    pixels = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(averaged(pixels, frame), nn.functional.avg_pool2d(pixels, 4), rtol=0, atol=1e-6)

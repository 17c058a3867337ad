"""What a turn costs, beside the network, on images of two sizes: counted, not timed."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from zoo import Click, Scribble, Session
from zoo.encoders import Disks
from zoo.inference.change import Edits
from zoo.inference.engine import Engine, advance
from zoo.inference.tiling import TiledEngine
from zoo.inference.zoom import InteractionWindow, WholeImage
from zoo.inference.zoom_in import ZoomIn
from zoo.interactions import Interactions
from zoo.segmenters import RITM, NuClick
from zoo.segmenters.nuclick import PostProcess

SMALL, LARGE = 256, 1024
# Read in places, not as a whole.
GATHERING = ("aten.index.Tensor", "aten.grid_sampler_2d", "aten._lazy_clone")


class Squares(nn.Module):
    """Likely within 15 px of positive guidance, and a little in the bright parts of the image."""

    def forward(self, joined: Tensor) -> Tensor:
        return 8 * F.max_pool2d(joined[:, 3:4], 31, 1, 15) - 5 + joined[:, :1]


def nuclick(side: int = 64) -> Engine:
    return NuClick(Squares(), zoom=InteractionWindow(side), postprocess=PostProcess(min_object=5)).engine()


def ritm() -> Engine:
    return RITM(Squares(), encoder=Disks(radius=5), zoom=ZoomIn(side=64, least=40, most=2 * LARGE)).engine()


class Touched(TorchDispatchMode):
    """Counts the elements that operations read or write."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func.is_view:
            return out
        read = [] if str(func).startswith(GATHERING) else [each for each in args if isinstance(each, Tensor)]
        wrote = [each for each in (out if isinstance(out, tuple | list) else [out]) if isinstance(each, Tensor)]
        if not str(func).startswith("aten._lazy_clone"):
            self.count += max((each.numel() for each in read + wrote), default=0)
        return out


def started(engine: Engine, side: int, mpp: float | None = None, mask: Tensor | None = None) -> Session:
    torch.manual_seed(0)
    part = torch.randint(0, 256, (1, 3, SMALL, SMALL), dtype=torch.uint8)
    image = torch.full((1, 3, side, side), 128, dtype=torch.uint8)
    image[..., :SMALL, :SMALL] = part
    session = Session(engine, mpp=None if mpp is None else 0.5)
    session.set_image(image, mask, mpp=mpp)
    return session


CLICKS = [
    Click(100.5, 90.5),
    Click(112.5, 96.5, positive=False),
    Click(96.5, 120.5),
    Click(150.5, 180.5),
    Click(90.5, 84.5, positive=False),
    Click(97.5, 119.5),
]


def held(session: Session) -> list[int]:
    """Bytes of what each turn keeps for undo."""

    def of(edits: Edits) -> int:
        return sum(edit.values.nbytes for edit in edits)

    turns = []
    for turn in session._history:
        total = of(turn.mask.working) + of(turn.mask.given) + sum(value.nbytes for value in turn.change.values.values())
        for edits in {id(each): each for each in turn.change.edits.values()}.values():
            total += of(edits)
        for said in (turn.said, turn.working):
            total += 0 if said is None else said.marks.points.nbytes + of(said.strokes or ())
        turns.append(total)
    return turns


@pytest.mark.parametrize(("make", "free"), [(nuclick, 0), (ritm, 1)])
@pytest.mark.parametrize("mpp", [None, 0.4])
def test_memory_and_work_of_a_turn_do_not_grow_with_the_image(make: Callable[[], Engine], free: int, mpp: float | None):
    work, memory = [], []
    for side in (SMALL, LARGE):
        session = started(make(), side, mpp)
        session.probability  # noqa: B018 - the state begins
        counts = []
        for click in CLICKS:
            with Touched() as touched:
                session.add(click)
            counts.append(touched.count)
        with Touched() as touched:
            session.undo()
        work.append([*counts[free:], touched.count])
        memory.append(held(session)[free:])
    for small, large in zip(memory[0], memory[1], strict=True):
        assert large <= 1.02 * small
    for small, large in zip(work[0], work[1], strict=True):
        assert 1000 < large <= 1.25 * small
    assert max(work[1]) < LARGE * LARGE


def test_the_work_of_later_turns_is_that_of_the_first():
    session = started(nuclick(), LARGE)
    counts = []
    for k in range(12):
        with Touched() as touched:
            session.add(Click(100.5 + k, 90.5))
        counts.append(touched.count)
    assert max(counts[2:]) <= 1.1 * counts[1]


TURNS = [
    [Click(60.5, 50.5)],
    [Click(66.5, 52.5, positive=False)],
    [Click(200.5, 150.5), Click(3.5, 2.5, positive=False)],
    [Scribble(((10, 200), (60, 240)))],
    [],
    [Click(255.5, 255.5)],
    [Scribble(((100, 10), (140, 60)), positive=False), Click(64.5, 8.5)],
]


@pytest.mark.parametrize("make", [nuclick, ritm, lambda: NuClick(Squares(), zoom=WholeImage()).engine()])
@pytest.mark.parametrize("mpp", [None, 0.4, 0.7])
@pytest.mark.parametrize("given", [False, True])
def test_masks_are_those_of_the_whole_image_and_undo_is_exact(make, mpp, given):
    engine = make()
    mask = None
    if given:
        mask = torch.zeros(1, 1, SMALL, SMALL)
        mask[..., 20:90, 150:230] = 1
        mask[..., 40:44, 170:175] = 0  # a hole, and dust
        mask[..., 200, 200] = 1
        if mpp is not None:
            pytest.skip("the initial mask is resampled")
    session = started(engine, SMALL, mpp, mask)
    seen = [(session.probability, session.mask, session.interactions)]
    # Without a session: a new state each turn, and the mask of the whole image.
    image = session.image if session.frame is None else session.frame.crop(session.image)
    state, so_far = engine.start(image, mask), Interactions.empty(1, (image.shape[-2], image.shape[-1]))
    for turn in TURNS:
        result = session.add(*turn)
        new = Interactions.from_lists([turn], (SMALL, SMALL)).at(session.turn - 1)
        new = new if session.frame is None else new.through(session.frame)
        so_far = so_far.add(new)
        state = advance(engine, image, so_far, new, state)
        expected = engine.mask(state, so_far)
        for name, value in state.items():
            assert torch.equal(session._now.state[name], value), name
        if session.frame is not None:
            expected = session.frame.inverse((SMALL, SMALL)).crop(expected.float()) > 0.5
        assert torch.equal(result, expected)
        assert torch.equal(session.mask, expected)
        seen.append((session.probability, session.mask, session.interactions))
    copies = [(probability.clone(), mask.clone()) for probability, mask, _ in seen]
    for k in range(len(TURNS), 0, -1):
        session.undo()
        check(session, copies[k - 1], seen[k - 1][2])
    for turn, copy, (_, _, interactions) in zip(TURNS, copies[1:], seen[1:], strict=True):
        session.add(*turn)
        check(session, copy, interactions)
    other = session.fresh()
    check(other, copies[0], seen[0][2])
    other.add(*TURNS[0])
    check(other, copies[1], seen[1][2])
    check(session, copies[-1], seen[-1][2])
    session.reset()
    check(session, copies[0], seen[0][2])
    for (probability, mask, _), (first, second) in zip(seen, copies, strict=True):
        assert torch.equal(probability, first)
        assert torch.equal(mask, second)


def check(session: Session, copy: tuple[Tensor, Tensor], said: Interactions) -> None:
    assert torch.equal(session.probability, copy[0])
    assert torch.equal(session.mask, copy[1])
    assert torch.equal(session.interactions.points, said.points)
    now = session.interactions.strokes
    assert (now is None) == (said.strokes is None)
    assert now is None or torch.equal(now, said.strokes)


def test_a_mask_in_use_stays_and_one_that_was_changed_changes_nothing():
    session = started(nuclick(), SMALL)
    first = session.add(Click(60.5, 50.5))
    part, area = first[0, 0, 40:60], int(first.sum())
    array = session.mask.numpy()
    session.add(Click(200.5, 200.5))
    assert int(first.sum()) == int(array.sum()) == area
    assert torch.equal(part, torch.from_numpy(array)[0, 0, 40:60])
    second = session.mask
    second[:] = True
    assert not session.mask.all()
    session.probability[:] = 1
    assert not (session.probability == 1).all()


def test_tiles_keep_their_windows_alone():
    memory = []
    for side in (SMALL, LARGE):
        session = started(TiledEngine(nuclick(), 64, 16), side)
        clicks = [Click(100.5, 90.5), Click(104.5, 90.5, positive=False), Click(30.5, 30.5)]
        image, said = session.image, Interactions.empty(1, (side, side))
        state = session.engine.start(image)
        for k, click in enumerate(clicks):
            session.add(click)
            new = Interactions.from_lists([[click]], (side, side)).at(k)
            said = said.add(new)
            state = advance(session.engine, image, said, new, state)
            assert torch.equal(session.probability, state["probability"])
        memory.append(held(session)[1:])
        undone = session.mask
        session.undo()
        session.add(clicks[-1])
        assert torch.equal(session.mask, undone)
    # How much was said in each tile is a number a tile.
    assert all(large <= small + 8 * (LARGE // 48 + 1) ** 2 for small, large in zip(*memory, strict=True))


def test_an_engine_that_says_nothing_of_its_mask_is_asked_for_all_of_it():
    class Grown(NuClick):
        def mask(self, probability: Tensor, interactions: Interactions) -> Tensor:
            return F.max_pool2d((probability > self.threshold).float(), 9, 1, 4) > 0

    class Doubled(Grown):
        pass

    for kind in (Grown, Doubled):
        engine = kind(Squares(), zoom=InteractionWindow(64)).engine()
        assert engine.reach == "image"
        session = started(engine, SMALL)
        for click in CLICKS:
            session.add(click)
            assert torch.equal(session.mask, engine.mask(session._now.state, session.interactions))
        session.undo()
        assert torch.equal(session.mask, engine.mask(session._now.state, session.interactions))
    assert nuclick().reach == "objects"
    assert ritm().reach == "pixel"


def test_samples_that_are_kept_go_on_and_back():
    torch.manual_seed(0)
    image = torch.rand(3, 3, 120, 150)
    turns = [[[Click(20.5 + 30 * i + 9 * t, 30.5 + 20 * t)] if i != t else [] for i in range(3)] for t in range(3)]
    batch = Session(nuclick())
    batch.set_image(image)
    for t, turn in enumerate(turns[:2]):
        batch.add(Interactions.from_lists(turn, (120, 150)).at(t))
    keep = torch.tensor([2, 0])
    batch.select(keep)
    batch.add(Interactions.from_lists([turns[2][i] for i in keep], (120, 150)).at(2))
    for place, i in enumerate(keep.tolist()):
        alone = Session(nuclick())
        alone.set_image(image[i : i + 1])
        for turn in turns:
            alone.add(*turn[i])
        assert alone.mask.any()
        assert torch.equal(batch.mask[place : place + 1], alone.mask)
        torch.testing.assert_close(batch.probability[place : place + 1], alone.probability)
    assert not batch.fresh().mask.any()
    batch.undo()
    for place, i in enumerate(keep.tolist()):
        alone = Session(nuclick())
        alone.set_image(image[i : i + 1])
        for turn in turns[:2]:
            alone.add(*turn[i])
        assert torch.equal(batch.mask[place : place + 1], alone.mask)

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from tests.helpers.crops import ChannelBias, SmallMethod, SpatialBias, small
from zoo.errors import ConfigError
from zoo.inference.change import owned
from zoo.inference.engine import Engine, State, pick
from zoo.inference.zoom import InteractionWindow
from zoo.inference.zoom_in import WiderWindow
from zoo.interactions import Interactions
from zoo.testing.comparing import assert_same
from zoo.testing.engines import EngineContract, images, play

SIZE = (40, 48)
CLICK = (10.5, 10.5, 1.0)
HERE, NEAR, THERE = (6, 6, 18, 18), (6, 6, 18, 20), (28, 24, 40, 34)


class TestZoom(EngineContract):
    def make(self) -> Engine:
        return small().engine()

    def test_it_zooms(self):
        """Otherwise this contract would say nothing about zooming."""
        frames = torch.stack([state["frame"] for _, state in play(self.make())])
        assert frames[1].tolist() == [[0, 0, 1, 64, 64]] * 3
        assert (frames[3, :, 2] > 1).all()


class TestTwoLooks(EngineContract):
    def make(self) -> Engine:
        return small(skip=0, looks=2).engine()


class TestTwoLooksFromAWindow(EngineContract):
    def make(self) -> Engine:
        return small(skip=0, looks=3, first=InteractionWindow(24), refiner=ChannelBias()).engine()


class TestWiderWindows(EngineContract):
    def make(self) -> Engine:
        return small(skip=0, looks=2, first=InteractionWindow(16), wider=[24, 40], surer=0.01).engine()


class TestKeptAspect(EngineContract):
    def make(self) -> Engine:
        return small(side=64, aspect="keep").engine()


class TestFlip(EngineContract):
    def make(self) -> Engine:
        return small(flip=True).engine()


class TestChannelBias(EngineContract):
    def make(self) -> Engine:
        return small(refiner=ChannelBias(), flip=True).engine()


class TestSpatialBias(EngineContract):
    def make(self) -> Engine:
        return small(refiner=SpatialBias(), flip=True).engine()


def clicked(*counts: int) -> Interactions:
    """The same positive click so many times a sample."""
    points = torch.zeros(len(counts), max(counts), 3)
    points[..., 2] = -1
    for i, count in enumerate(counts):
        points[i, :count] = torch.tensor(CLICK)
    return Interactions.clicks(points[..., 0], points[..., 1], points[..., 2], 0, SIZE)


def seeing(state: State, *boxes: tuple[int, int, int, int] | None) -> State:
    """The state with other masks."""
    probability = torch.zeros(len(boxes), 1, *SIZE)
    for i, box in enumerate(boxes):
        if box is not None:
            probability[i, 0, box[1] : box[3], box[0] : box[2]] = 1
    above = probability[:, 0] > 0.5
    counts = {"rows": above.sum(2, dtype=torch.int32), "columns": above.sum(1, dtype=torch.int32)}
    return state | {"probability": probability} | counts


TURNS = [
    # clicks and masks of two samples; turns in the crop afterwards
    ((1, 1), (None, None), [1, 1]),
    ((2, 1), (HERE, HERE), [1, 2]),  # only the first zooms, the other goes on seeing the whole
    ((3, 2), (HERE, HERE), [2, 1]),
    ((4, 3), (NEAR, HERE), [3, 2]),  # near enough to stay
    ((5, 4), (NEAR, THERE), [4, 1]),
    ((6, 5), (THERE, THERE), [1, 2]),
    ((7, 6), (THERE, THERE), [2, 3]),
    ((8, 7), (None, THERE), [1, 4]),  # nothing left of the mask
    ((9, 8), (None, None), [2, 1]),
]


def rounds(engine: Engine, samples: list[int], image: Tensor) -> list[State]:
    state, out = engine.start(image[samples]), []
    for clicks, boxes, _ in TURNS:
        said = clicked(*[clicks[i] for i in samples])
        state = engine.step(image[samples], said, seeing(state, *[boxes[i] for i in samples]))
        out.append(state)
    return out


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("aspect", ["square", "keep"])
def test_a_crop_bound_state_starts_anew_where_and_when_the_crop_moves(flip, aspect):
    engine, image = small(refiner=SpatialBias(), flip=flip, expand=1.4, side=64, aspect=aspect).engine(), images()[:2]
    together = rounds(engine, [0, 1], image)
    for state, (_, _, turns) in zip(together, TURNS, strict=True):
        assert state["refiner.turns"].tolist() == turns
        for i, count in enumerate(turns):
            height, width = map(int, state["frame"][i, 3:])
            slope = torch.linspace(0, 0.1, width) * count
            torch.testing.assert_close(state["refiner.slope"][i, 0, :height, :width], slope.expand(height, width))
            assert not state["refiner.slope"][i, :, height:].any()
            assert not state["refiner.slope"][i, :, :, width:].any()
    for i in range(2):
        for every, alone in zip(together, rounds(engine, [i], image), strict=True):
            assert_same({name: value[i : i + 1] for name, value in every.items()}, alone, tolerance=5e-4)


def test_another_state_outlives_the_crop():
    engine, image = small(refiner=ChannelBias()).engine(), images()[:2]
    for turn, state in enumerate(rounds(engine, [0, 1], image), 1):
        torch.testing.assert_close(state["refiner.bias"][:, :, 0, 0], torch.tensor([[0.05 * turn, 0.0]] * 2))


@pytest.mark.parametrize("options", [{"flip": True}, {"refiner": ChannelBias()}, {"refiner": SpatialBias()}])
def test_every_option_changes_the_prediction(options):
    plain = play(small().engine(), [0, 1, 2])[3][1]["probability"]
    assert (play(small(**options).engine(), [0, 1, 2])[3][1]["probability"] - plain).abs().max() > 1e-3


def test_outside_the_crop_the_probability_stays():
    engine = small(least=1).engine()
    state = seeing(engine.start(images()[:1]), HERE)
    state["probability"][..., 30:, 40:] = 0.25
    after = engine.step(images()[:1], clicked(2), state)
    x0, y0, scale, side, _ = after["frame"][0].tolist()
    x1, y1 = x0 + side / scale, y0 + side / scale
    assert 18 <= x1 < 30
    outside = torch.ones(SIZE, dtype=torch.bool)
    outside[int(y0) : int(y1), int(x0) : int(x1)] = False
    assert torch.equal(after["probability"][0, 0][outside], state["probability"][0, 0][outside])
    assert (after["probability"][0, 0] != state["probability"][0, 0])[~outside].all()


def test_two_looks_are_two_turns_of_which_the_second_is_zoomed():
    """Of samples without a mask in which the first look finds something, whatever the others of the batch have."""
    once, twice = small().engine(), small(skip=0, looks=2).engine()
    image = images()[:3].clone()
    image[1] = 1  # in which nothing is found: it is bright, and the click is negative
    labels = torch.tensor([[1.0], [0.0], [1.0]])
    said = Interactions.clicks(torch.full((3, 1), 10.5), torch.full((3, 1), 10.5), labels, 0, SIZE)
    state = seeing(once.start(image), None, None, HERE)
    first = once.step(image, said, state)
    assert first["rows"].any(1).tolist() == [True, False, True]
    change = twice.change(image, said, state)
    after = change.applied(state)
    closer = twice.step(image, said, first)
    assert closer["frame"][0, 2] > 1
    for name in ("frame", "probability", "previous", "rows", "columns"):
        torch.testing.assert_close(after[name][0], closer[name][0])
        assert torch.equal(after[name][1], first[name][1])
    # One look, at the mask that there was.
    alone = twice.step(image[2:], said.select(torch.tensor([2])), pick(state, torch.tensor([2])))
    assert_same(pick(after, torch.tensor([2])), alone, tolerance=1e-6)
    above = after["probability"][:, 0] > 0.5
    assert torch.equal(after["rows"], above.sum(2, dtype=torch.int32))
    assert torch.equal(after["columns"], above.sum(1, dtype=torch.int32))
    # As often as the box moves: the next turn's look is at the same box.
    often = small(skip=0, looks=9).engine()
    found = often.step(image, said, state)
    assert torch.equal(often.step(image, said, found)["frame"][0], found["frame"][0])
    # And back: the boxes of both looks are undone in turn.
    now = owned(state)
    back = change.exchanged(now)
    assert_same(now, after)
    back.exchanged(now)
    assert_same(now, state)


def certainty(state: State) -> float:
    probability = state["probability"].numpy()
    return float(probability[probability > 0.5].mean()) if (probability > 0.5).any() else 0.0


def from_window(side: int, wider: Sequence[int] = (), surer: float = 0.0, looks: int = 2) -> SmallMethod:
    """That sees a box of `side` pixels first, in a crop of 32, but at 16 these pixels as they are."""
    method = small(skip=0, looks=looks, first=InteractionWindow(16), wider=wider, surer=surer)
    if side != 16:
        method.zoom.first = WiderWindow(method.zoom, side)
    return method


@pytest.mark.parametrize("surer", [0.0, 0.02, 0.04, 1.0])
def test_of_several_beginnings_the_surest_counts(surer):
    image, sides = images()[:3].clone(), (16, 24, 40)
    image[0, :, 19:], image[0, :, :, 19:] = 0.1, 0.1  # dark, which is sure to be meant, beyond the first window
    spots = [(10.5, 10.5), (30.5, 24.5), (40.5, 8.5)]
    points = torch.tensor([[[x, y, 1.0]] for x, y in spots])
    said = Interactions.clicks(points[..., 0], points[..., 1], points[..., 2], 0, SIZE)
    engine = from_window(16, (24, 40), surer).engine()
    state = seeing(engine.start(image), None, None, HERE)
    change = engine.change(image, said, state)
    after = change.applied(state)
    chosen = []
    for i in range(3):
        one = torch.tensor([i])
        given = image[one], said.select(one), pick(state, one)
        each = [from_window(side).engine().step(*given) for side in sides]
        looks = [from_window(side, looks=1).engine().step(*given) for side in sides]
        best = 0
        for k in (1, 2) if i < 2 else ():  # the last has a mask already
            followed = certainty(looks[k]) > certainty(looks[0]) + surer
            if followed and certainty(each[k]) > certainty(each[best]) + surer:
                best = k
        assert_same(pick(after, one), each[best], tolerance=1e-5)
        chosen.append(sides[best])
    assert chosen[1:] == [16, 16]
    assert (chosen[0] > 16) == (surer < 1)
    # And back.
    now = owned(state)
    back = change.exchanged(now)
    assert_same(now, after)
    back.exchanged(now)
    assert_same(now, state)


def test_a_refiner_at_no_point_of_the_method_is_refused():
    refiner = ChannelBias()
    refiner.at = "nowhere"
    with pytest.raises(ConfigError, match=r"nowhere.*guidance, middle"):
        small(refiner=refiner).engine().start(images())


@pytest.mark.parametrize("options", [{}, {"refiner": ChannelBias()}, {"aspect": "keep"}], ids=str)
@pytest.mark.parametrize(("pixels", "largest"), [(64 * 64 * 2, 2), (1, 1)])
def test_a_large_batch_is_segmented_in_portions(options, pixels, largest, monkeypatch):
    method = small(**options)
    engine = method.engine()
    together = play(engine, [0, 1, 2])
    seen: list[int] = []
    method.network.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    trunk = method.trunk
    monkeypatch.setattr(method, "trunk", lambda image, *rest: (seen.append(len(image)), trunk(image, *rest))[1])
    monkeypatch.setattr("zoo.inference.network_engine.PIXELS_AT_ONCE", pixels)
    in_portions = play(engine, [0, 1, 2])
    assert max(seen) == largest
    for (_, a), (_, b) in zip(together, in_portions, strict=True):
        assert_same(a, b, tolerance=5e-4)

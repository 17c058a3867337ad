"""Algorithm 1 on cases worked out by hand, and the same numbers from a parent session and its children."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from zoo.data.batch import Batch, Sample, collate
from zoo.data.pairs import shrink_label
from zoo.errors import ConfigError
from zoo.evaluation import ZoomSimulation
from zoo.evaluation.closest import NOTHING, nearest
from zoo.evaluation.speed import TimedEngine, measure
from zoo.evaluation.zoomed import tiles
from zoo.images.blocks import shrink
from zoo.inference.children import ParentSession
from zoo.inference.engine import Engine, Scales, State
from zoo.interactions import Box, Click, Interactions
from zoo.users.base import SimulatedUser

LOW = (16, 24)
HIGH = (66, 99)  # 2 rows and 3 columns are left over


class Script(Engine):
    """The n-th mask of a list after n clicks of a session; it remembers what it was started with."""

    def __init__(self, masks: Sequence[Tensor]) -> None:
        self.masks = masks
        self.started: list[Tensor | None] = []

    def start(self, image: Tensor, mask: Tensor | None = None) -> State:
        self.started.append(mask)
        return {"probability": torch.zeros_like(image[:, :1]) if mask is None else mask}

    def step(self, image: Tensor, interactions: Interactions, state: State) -> State:
        count = int((interactions.points[0, :, 2] >= 0).sum())
        return {"probability": self.masks[min(count, len(self.masks)) - 1][None, None].float()}


class Both(Engine):
    """Two engines as a method gives them."""

    def __init__(self, low: Engine | None, high: Engine | None, down: bool = True, up: bool = False) -> None:
        self._scales = Scales(low, high, down, up)

    @property
    def scales(self) -> Scales:
        return self._scales

    def start(self, image: Tensor, mask: Tensor | None = None) -> State:
        return (self._scales.low or self._scales.high).start(image, mask)

    def step(self, image: Tensor, interactions: Interactions, state: State) -> State:
        return (self._scales.low or self._scales.high).step(image, interactions, state)


class Says(SimulatedUser):
    """Clicks at given places of the low image; in anything else at its middle."""

    def __init__(self, places: Sequence[tuple[float, float, int]]) -> None:
        self.places = places

    def __call__(self, prediction: Tensor, truth, so_far: Interactions, turn: int) -> Interactions:
        height, width = truth.size
        x, y, label = self.places[turn] if (height, width) == LOW else (width / 2, height / 2, 1)
        columns = [torch.tensor([[float(v)]]) for v in (x, y, label)]
        return Interactions.clicks(*columns, turn, truth.size)


def rectangle(size: tuple[int, int], rows: slice, columns: slice) -> Tensor:
    out = torch.zeros(size, dtype=torch.bool)
    out[rows, columns] = True
    return out


def pair(low: Tensor, high: Tensor) -> Batch:
    def sample(target: Tensor, **more) -> Sample:
        image = np.zeros((*target.shape, 3), np.uint8)
        return Sample(image, target.numpy(), None, np.zeros(target.shape, bool), 0, 0, 0, **more)

    return collate([sample(high, mpp=0.5, low=sample(low, mpp=2.0), place=(0.0, 0.0, 4.0))])


# The target: 8 x 16 low pixels. Masks of 8 rows x n columns have IoU n / 16.
TARGET = rectangle(LOW, slice(4, 12), slice(4, 20))
TRUE = rectangle(HIGH, slice(16, 48), slice(16, 80))


def wide(columns: int) -> Tensor:
    return rectangle(LOW, slice(4, 12), slice(4, 4 + columns))


def simulation(**settings) -> ZoomSimulation:
    options = {"d_min": 2.0, "d_thr": 6.0, "q_thr": 0.7, "q_max": 0.95, "max_clicks": 6, "patch": 20, "reference": None}
    return ZoomSimulation(**(options | settings))


def test_nearest_pair_by_hand():
    assert nearest([(1.0, 2.0)]) == NOTHING
    assert NOTHING.distance == math.inf
    clicks = [(0.0, 0.0), (3.0, 4.0), (3.0, 9.0), (3.0, 5.5)]
    found = nearest(clicks)
    assert (found.pair, found.distance, found.x, found.y) == ((1, 3), 1.5, 3.0, 4.75)
    assert nearest(clicks, {(1, 3)}).pair == (2, 3)
    assert nearest(clicks, {(1, 3), (2, 3)}).pair == (0, 1)  # of equals the earliest: 1 and 2 are as near
    assert nearest([(0.0, 0.0), (1.0, 0.0)], {(0, 1)}) == NOTHING


def test_algorithm_1_by_hand():
    """Six clicks. d and q after each, and what follows:

    1. one click: d infinite
    2. 5 apart, IoU 10/16 below q_thr: d < d_thr alone opens nothing
    3. IoU 12/16: opens the middle of clicks 1 and 2 (`detail`)
    4. no pair but that one nearer than 6: nothing, since a pair is looked at once
    5. 1 from click 4, IoU 11/16: opens, whatever the mask (`small`)
    6. IoU 1: the pair 1.5 from click 3 opens all the same (`small`), and the image is done
    """
    places = [(4.5, 8.5, 1), (9.5, 8.5, 1), (18.5, 1.5, 0), (18.5, 14.5, 0), (19.5, 14.5, 0), (20.0, 1.5, 0), (0, 0, 1)]
    low = Script([wide(n) for n in (4, 10, 12, 12, 11, 16)])
    part = torch.ones(20, 20, dtype=torch.bool)
    high = Script([part, ~part])
    (found,) = simulation(user=Says(places)).run(Both(low, high), pair(TARGET, TRUE))
    assert found.low_ious == pytest.approx([4 / 16, 10 / 16, 12 / 16, 12 / 16, 11 / 16, 1.0])
    assert [(look.turn, look.why, look.near.pair) for look in found.looks] == [
        (3, "detail", (0, 1)),
        (5, "small", (3, 4)),
        (6, "small", (2, 5)),
    ]
    assert [look.near.distance for look in found.looks] == pytest.approx([5.0, 1.0, 1.5])
    assert [look.quality for look in found.looks] == pytest.approx([12 / 16, 11 / 16, 1.0])
    # Middles 7, 8.5 and 19, 14.5 and 19.25, 1.5 times 4, less half of 20, inside 66 x 99.
    assert [look.place for look in found.looks] == [
        (slice(24, 44), slice(18, 38)),
        (slice(46, 66), slice(66, 86)),
        (slice(0, 20), slice(67, 87)),
    ]
    assert found.looks[0].box == (4.5, 6.0, 9.5, 11.0)
    # The first part lies in the target and in the low mask: nothing to say. In the second the mask is never right: all
    # six clicks. In the third the low mask is right by now, but for the corner that cubic enlarging rounds off.
    assert [len(look.clicks) for look in found.looks] == [0, 6, 0]
    assert [look.ious[0] for look in found.looks] == pytest.approx([1.0, 0.0, 51 / 52])
    assert [len(found.low_ious), len(found.ious), len(found.said)] == [6, 12, 12]
    # In pixels of the high image, in the order in which they were made.
    assert found.said[:3] == [(18.0, 34.0, 1), (38.0, 34.0, 1), (74.0, 6.0, 0)]
    assert found.said[5] == (76.0, 56.0, 1)
    expected = TRUE.clone()
    expected[found.looks[1].place] = False
    expected[[16, 16, 47], [16, 79, 16]] = False  # corners; the fourth is in the second part
    assert torch.equal(found.mask[0, 0], expected)
    assert found.ious[-1] == pytest.approx(int(expected.sum()) / int(TRUE.sum()))


def test_every_threshold_decides():
    places = [(4.5, 8.5, 1), (9.5, 8.5, 1), (18.5, 1.5, 0), (18.5, 14.5, 0)]
    batch = pair(TARGET, TRUE)

    def looks(**settings) -> list[int]:
        low = Script([wide(n) for n in (4, 10, 12, 13)])
        high = Script([torch.ones(20, 20)])
        protocol = simulation(user=Says(places), max_clicks=4, **settings)
        return [look.turn for look in protocol.run(Both(low, high), batch)[0].looks]

    assert looks() == [3]
    assert looks(d_thr=5.0) == []  # not below
    assert looks(q_thr=0.75) == [4]  # not above until the fourth click
    assert looks(q_thr=0.5) == [2]
    assert looks(q_max=0.78, q_thr=0.76) == []
    assert looks(d_min=5.5) == [2]
    assert looks(reference=round(math.sqrt(16 * 24) * 1.3)) == []  # 6 pixels become 4.6


def test_distances_scale_with_the_image_and_the_result_says_how():
    protocol = ZoomSimulation()
    assert protocol.factor((1024, 1024)) == 1
    assert 50 * protocol.factor((261, 387)) == pytest.approx(15.5, abs=0.05)
    assert 250 * protocol.factor((261, 387)) == pytest.approx(77.6, abs=0.05)
    settings = protocol.settings
    assert settings["distances"] == "of 1024 px, times sqrt(height x width) / 1024"
    paper = (50, 250, 0.85, 0.95, 20)
    assert tuple(settings[name] for name in ("d_min", "d_thr", "q_thr", "q_max", "max_clicks")) == paper
    for wrong in ({"q_thr": 0.96}, {"d_min": 300.0}, {"max_clicks": 0}, {"patch": 0}):
        with pytest.raises(ConfigError):
            ZoomSimulation(**wrong)


def test_images_and_parts_are_done_at_q_max_and_without_low_to_high_begin_empty():
    places = [(8.5, 8.5, 1), (9.5, 8.5, 1), (0.5, 0.5, 0)]
    batch = pair(TARGET, TRUE)
    part = torch.ones(20, 20)
    low, high = Script([wide(4), wide(15), wide(16)]), Script([part])
    protocol = simulation(user=Says(places), q_max=0.93)
    (found,) = protocol.run(Both(low, high), batch)
    assert found.low_ious == pytest.approx([4 / 16, 15 / 16])  # done, after it was looked at closer
    (look,) = found.looks
    assert (look.clicks, look.ious) == ([], [1.0])
    assert bool(high.started[0].all())  # the low mask there
    low, high = Script([wide(4), wide(15)]), Script([part])
    (found,) = protocol.run(Both(low, high, down=False), batch)
    (look,) = found.looks
    assert high.started == [None]
    assert look.ious == [0.0, 1.0]
    assert look.clicks == [(10.0, 10.0, 1)]
    empty = pair(torch.zeros(LOW, dtype=torch.bool), torch.zeros(HIGH, dtype=torch.bool))
    (found,) = protocol.run(Both(low, high), empty)
    assert (found.ious, found.initial) == ([], 1.0)


def test_one_magnification_alone():
    batch = pair(TARGET, TRUE)
    places = [(4.5, 8.5, 1), (5.5, 8.5, 1)]
    (found,) = simulation(user=Says(places), max_clicks=2).run(Both(Script([wide(12)]), None), batch)
    assert found.looks == []
    assert len(found.ious) == 2
    assert found.ious[-1] == pytest.approx(12 / 16, abs=0.01)  # enlarged to the pixel, but for cubic corners
    truth = [TRUE[place] for place in tiles(HIGH, 40)]
    assert len(truth) == 2 * 3
    high = Script([torch.zeros(33, 33)])
    (found,) = simulation(max_clicks=2, patch=40).run(Both(None, high), batch)
    assert [look.why for look in found.looks] == ["tile"] * 6
    assert [len(look.clicks) for look in found.looks] == [2 if part.any() else 0 for part in truth]
    assert found.low_ious == []
    assert found.looks[1].box == (33 / 4, 0, 66 / 4, 33 / 4)


@pytest.mark.parametrize(("size", "side"), [((66, 99), 40), ((1044, 1550), 320), ((7, 5), 9)])
def test_tiles_cover_every_pixel_once(size, side):
    count = torch.zeros(size)
    for place in tiles(size, side):
        count[place] += 1
        assert max(count[place].shape) <= side
    assert bool((count == 1).all())
    assert len(tiles(size, side)) == math.ceil(size[0] / side) * math.ceil(size[1] / side)


class Grows(Engine):
    """Of the image and the clicks: dark pixels within 12 px of a positive click, or in the mask so far."""

    def start(self, image: Tensor, mask: Tensor | None = None) -> State:
        return {"probability": torch.zeros_like(image[:, :1]) if mask is None else mask}

    def step(self, image: Tensor, interactions: Interactions, state: State) -> State:
        height, width = interactions.size
        y, x = torch.arange(height)[:, None] + 0.5, torch.arange(width) + 0.5
        out = state["probability"].clone()
        for u, v, label, _ in interactions.points[0].tolist():
            near = (x - u) ** 2 + (y - v) ** 2 <= 12**2
            if label >= 0:
                out[0, 0][near] = float(label) * (image[0].mean(0)[near] < 0.5).float()
        return {"probability": out}


def blobs() -> Batch:
    """A ragged region, dark on light, at two magnifications."""
    rows, columns = np.mgrid[:200, :310]
    radius = 60 + 18 * np.sin(7 * np.arctan2(rows - 100, columns - 150))
    target = np.hypot(rows - 100, columns - 150) < radius
    image = np.where(target[..., None], 60, 220).astype(np.uint8).repeat(3, 2)

    def sample(image, target, **more) -> Sample:
        return Sample(image, target, None, np.zeros(target.shape, bool), 0, 7, 3, **more)

    low = sample(shrink(image, 4), shrink_label(target.astype(np.uint8), 4, True) > 0, mpp=2.0)
    return collate([sample(image, target, mpp=0.5, low=low, place=(0.0, 0.0, 4.0))])


@pytest.mark.parametrize("up", [False, True])
def test_a_parent_session_gives_the_protocols_numbers(up):
    """What the trace says, done by hand in a session with children: the same masks, whatever is undone on the way."""
    batch = blobs()
    engine = Grows()
    protocol = ZoomSimulation(d_min=4, d_thr=30, q_thr=0.3, q_max=0.99, max_clicks=5, patch=64, reference=None)
    (found,) = protocol.run(Both(engine, engine, up=up), batch)
    assert len(found.looks) >= 2
    session = ParentSession(engine, engine, up=up)
    pixels = (each.image[0].permute(1, 2, 0).numpy() for each in (batch.low, batch))
    session.set_images(*pixels)
    said = iter(found.said)
    ious = []

    def iou() -> float:
        mask, target = session.mask, batch.truth.target
        return int((mask & target).sum()) / int((mask | target).sum())

    for turn in range(len(found.low_ious)):
        x, y, label = next(said)
        session.add(Click(x / 4, y / 4, positive=label == 1))
        ious.append(iou())
        for look in (look for look in found.looks if look.turn == turn + 1):
            child = session.zoom(Box(*look.box))
            assert child.place == look.place
            for u, v, positive in look.clicks:
                child.add(Click(u, v, positive=positive == 1))
                ious.append(iou())
                next(said)
        # Something that nobody wanted, and back.
        before = session.mask
        session.zoom(Box(3, 3, 9, 9)).add(Click(1.5, 1.5))
        session.add(Click(2.5, 2.5))
        for _ in range(3):
            session.undo()
        assert torch.equal(session.mask, before)
    assert ious == pytest.approx(found.ious, abs=1e-12)
    assert torch.equal(session.mask, found.mask)


def test_records_tell_when_and_where_it_zoomed():
    batch = blobs()
    protocol = ZoomSimulation(d_min=4, d_thr=30, q_thr=0.3, q_max=0.99, max_clicks=5, patch=64, reference=64)
    outcome = protocol.run(Grows(), batch)  # any engine does both
    (record,) = protocol.records(outcome, batch)
    trace = record.trace()
    assert trace["low_clicks"] + sum(len(look["clicks"]) for look in trace["zooms"]) == record.units
    assert trace["distances_times"] == pytest.approx(math.sqrt(50 * 77) / 64)
    metric = protocol.metric()
    protocol.score(metric, outcome, batch)
    twice = [replace(outcome[0], sample_id=8)]
    protocol.score(metric, twice, batch)
    numbers = {name: float(value) for name, value in metric.compute().items()}
    assert numbers["tnoc"] == 2 * record.units == 2 * numbers["noc"]
    assert numbers["tnoc_from"] == numbers["tnoc_to"] == numbers["tnoc"]
    assert numbers["iou"] == pytest.approx(record.score)
    assert numbers["zooms"] == len(trace["zooms"]) >= 1
    figures = protocol.figures(Grows(), batch, record)
    assert set(figures) == {"errors", "probability"}
    assert [len(figures[name].panels) for name in ("errors", "probability")] == [1, 4]
    wrong = record.prediction != batch.truth.target[0, 0].numpy()
    picture = figures["errors"].panels[0][1]
    assert ((picture == (213, 0, 0)).all(-1) | (picture == (0, 90, 220)).all(-1)).sum() <= wrong.sum()


def test_both_engines_are_timed():
    batch = blobs()
    protocol = ZoomSimulation(d_min=4, d_thr=30, q_thr=0.3, q_max=0.99, max_clicks=2, patch=64, reference=None)
    timed = TimedEngine(Both(Grows(), Grows()))
    (found,) = protocol.run(timed, batch)
    assert len(timed.seconds) == len(found.ious) > len(found.low_ious)
    speed = measure(Both(Grows(), Grows()), protocol, lambda ids: batch, 1)
    assert 0 < speed.model <= speed.end_to_end
    assert speed.count == len(found.ious)


def test_samples_that_are_no_pairs_are_named():
    with pytest.raises(ConfigError, match=r"zoo\.data\.PairedImages"):
        ZoomSimulation().run(Grows(), blobs().low)

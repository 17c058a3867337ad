"""Where methods begin: what is made before the first prediction is neither counted nor timed."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.evaluation.test_interactive import COUNT, batch, slow_iou
from tests.helpers.fakes import Disks
from zoo.data.batch import Batch
from zoo.evaluation.interactive import Interactive
from zoo.evaluation.oneshot import OneShotProtocol
from zoo.evaluation.speed import measure
from zoo.inference.engine import Engine, State
from zoo.inference.oneshot import OneShot
from zoo.inference.session import as_images
from zoo.inference.tiling import TiledEngine
from zoo.interactions import Interactions
from zoo.methods import GuideNet, RandomWalker, RefineNet, Watershed
from zoo.methods.base import InteractiveMethod
from zoo.users.base import Truth
from zoo.users.next_click import NextClick

TURNS = 4


class Warm(Disks):
    """Needs so many turns; by its own clock each step takes a second."""

    def __init__(self, warmup: int) -> None:
        super().__init__(4)
        self.warmup, self.clock = warmup, 0.0

    def step(self, image: Tensor, interactions: Interactions, state: State) -> State:
        self.clock += 1
        return super().step(image, interactions, state)


class Predicting(Disks):
    """Begins with a band of its own."""

    warmup = 0

    def start(self, image: Tensor, mask: Tensor | None = None) -> State:
        first = torch.zeros_like(image[:, :1])
        first[..., 5:15, :] = 0.9
        return {"probability": first if mask is None else mask}


def slow(engine: Engine, sample: int, free: int) -> tuple[float, list[float], int]:
    """IoU before the first counted turn, the counted IoUs, and the clicks of one sample, turn by turn."""
    given = batch([sample])
    image, truth = as_images(given.image), given.truth
    target, ignore = truth.target[0, 0].numpy(), truth.ignore[0, 0].numpy()
    said, state, ious, clicks = Interactions.empty(1, truth.size), engine.start(image), [], 0
    mask = engine.mask(state, said)
    for turn in range(free + TURNS):
        if turn == free:
            initial = slow_iou(mask[0, 0].numpy(), target, ignore)
        new = NextClick()(mask, truth, said, turn)
        if bool(new.spoken.any()):
            said, clicks = said.add(new), clicks + 1
            state = engine.step(image, said, state)
            mask = engine.mask(state, said)
        elif turn >= free:
            break
        if turn >= free:
            ious.append(slow_iou(mask[0, 0].numpy(), target, ignore))
    return initial, ious, clicks


@pytest.mark.parametrize(
    ("make", "free"), [(lambda: Warm(1), 1), (lambda: Warm(2), 2), (Predicting, 0), (lambda: Warm(0), 0)]
)
def test_turns_before_the_first_prediction_do_not_count(make: Callable[[], Engine], free):
    protocol = Interactive(max_interactions=TURNS, start="prediction", targets=(0.5, 0.8))
    metric = protocol.metric()
    traces = protocol.run(make(), batch())
    protocol.score(metric, traces, batch())
    first = []
    for k in range(COUNT):
        initial, ious, clicks = slow(make(), k, free)
        first.append(initial)
        assert float(traces.initial[k]) == pytest.approx(initial)
        found = traces.ious[k][~traces.ious[k].isnan()].tolist()
        assert found == pytest.approx(ious), k
        assert int((~traces.seconds[k].isnan()).sum()) == len(ious)
        assert int((traces.interactions.points[k, :, 2] >= 0).sum()) == clicks
    assert float(metric.compute()["iou@0"]) == pytest.approx(np.mean(first))
    records = protocol.records(traces, batch())
    assert [record.initial for record in records] == pytest.approx(first)
    turns = traces.interactions.points[0][..., 3][traces.interactions.points[0][..., 2] >= 0]
    assert turns.tolist() == list(range(len(turns)))


def test_every_turn_counts_from_an_empty_mask():
    engine = Warm(2)
    counted = Interactive(max_interactions=TURNS).run(engine, batch())
    plain = slow(Warm(2), 1, 0)
    assert counted.ious[1][~counted.ious[1].isnan()].tolist() == pytest.approx(plain[1])
    assert "start" not in Interactive().settings  # results from before the rule keep their settings
    assert Interactive(start="prediction").settings["start"] == "prediction"


def test_a_sample_does_not_depend_on_its_batch():
    protocol = Interactive(max_interactions=TURNS, start="prediction", stop_at=0.8)
    together = protocol.run(Warm(2), batch())
    for k in range(COUNT):
        alone = protocol.run(Warm(2), batch([k]))
        torch.testing.assert_close(alone.ious[0], together.ious[k], equal_nan=True)
        assert alone.initial[0] == together.initial[k]
        assert torch.equal(alone.mask[0], together.mask[k])


def test_a_first_prediction_that_is_good_enough_ends_the_session():
    free = Interactive(max_interactions=TURNS, start="prediction")
    everything = free.run(Warm(1), batch())
    reached = float(everything.initial.median())
    protocol = Interactive(max_interactions=TURNS, start="prediction", stop_at=reached)
    traces = protocol.run(Warm(1), batch())
    done = everything.initial >= reached
    assert 0 < int(done.sum()) < COUNT
    assert torch.equal(traces.initial, everything.initial)
    assert traces.ious[done].isnan().all()
    assert not traces.ious[~done, 0].isnan().any()
    assert torch.equal(traces.ious[~done, 0], everything.ious[~done, 0])
    protocol = Interactive(max_interactions=TURNS, start="prediction", stop_at=float(everything.initial.min()))
    assert protocol.run(Warm(1), batch()).ious.isnan().all()


@pytest.mark.parametrize("free", [0, 2])
def test_the_speed_is_that_of_counted_turns(monkeypatch, free):
    """Otherwise a method's own time could exceed the time to its masks."""
    engine = Warm(free)
    for module in ("speed", "interactive"):
        monkeypatch.setattr(f"zoo.evaluation.{module}.now", lambda device: engine.clock)

    def load(samples: list[int]) -> Batch:
        return batch([1, 2][samples[0] : samples[0] + 1])

    speed = measure(engine, Interactive(max_interactions=2, start="prediction"), load, 2)
    assert engine.clock == 4 + 2 * free
    assert (speed.count, speed.model, speed.end_to_end) == (4, 1, 1)


def test_which_methods_need_turns():
    assert (Engine.warmup, InteractiveMethod.warmup) == (1, 1)
    assert (Watershed.warmup, RandomWalker.warmup) == (2, 2)
    assert RefineNet.warmup == 0
    assert GuideNet.engine(SimpleNamespace(mpp=None)).warmup == 0  # type: ignore[arg-type]
    assert TiledEngine(Predicting(), 32, 8).warmup == 0


def test_the_time_of_one_shot_is_that_of_all_its_runs(monkeypatch):
    engine = Warm(1)
    for module in ("speed", "oneshot"):
        monkeypatch.setattr(f"zoo.evaluation.{module}.now", lambda device: engine.clock)
    labels = torch.zeros(1, 1, 40, 40, dtype=torch.int64)
    labels[..., 2:8, 2:8], labels[..., 20:30, 20:30] = 1, 2
    number = torch.zeros(1, dtype=torch.int64)
    one = Batch(torch.zeros(1, 3, 40, 40, dtype=torch.uint8), Truth(labels > 0, number, labels, number), number)
    speed = measure(engine, OneShotProtocol(oneshot=OneShot(jitters=3)), lambda samples: one, 1)
    assert (speed.count, speed.model, speed.end_to_end) == (2, 2, 2)

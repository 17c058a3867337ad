"""`Interactive` against sessions of one sample at a time, in numpy and scipy."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.helpers.fakes import Disks
from tests.helpers.user_reference import next_click
from zoo.comparison.sections import _sessions
from zoo.data.batch import Batch
from zoo.evaluation.automatic import Automatic
from zoo.evaluation.interactive import Interactive, Traces, iou
from zoo.evaluation.record import Record
from zoo.inference.engine import Engine
from zoo.interactions import Interactions
from zoo.methods import Watershed
from zoo.users.base import SimulatedUser, Truth
from zoo.users.centroid import Centroid

HEIGHT, WIDTH, TURNS = 24, 30, 6
Clicks = list[tuple[float, float, int]]
Segment = Callable[[int, Clicks], np.ndarray]


def disk(row: float, column: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def rectangle(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[rows, columns] = True
    return mask


# Perfect after one click of `Disks(5)`; large; two parts; at a corner; a single pixel; empty; the whole image; thin.
TARGETS = np.stack(
    [
        disk(10, 12, 5),
        disk(11, 14, 9),
        disk(6, 6, 4) | disk(17, 22, 6),
        rectangle(slice(0, 6), slice(0, 9)),
        rectangle(slice(3, 4), slice(29, 30)),
        np.zeros((HEIGHT, WIDTH), bool),
        np.ones((HEIGHT, WIDTH), bool),
        rectangle(slice(23, 24), slice(2, 28)),
        disk(10, 12, 5),
    ]
)
IGNORE = np.zeros_like(TARGETS)
IGNORE[1] = rectangle(slice(0, 24), slice(0, 9))
IGNORE[8] = disk(10, 12, 6)  # the whole target: nothing is left to be said
COUNT = len(TARGETS)
EMPTY = (5, 8)


def batch(samples: list[int] | None = None) -> Batch:
    index = list(range(COUNT)) if samples is None else samples
    pixels = np.random.default_rng(0).integers(150, 255, (COUNT, 3, HEIGHT, WIDTH)).astype(np.uint8)
    pixels = np.where(TARGETS[:, None], pixels // 3, pixels)[index]
    truth = Truth(
        target=torch.from_numpy(TARGETS[index])[:, None],
        sample_id=torch.tensor(index) + 40,
        ignore=torch.from_numpy(IGNORE[index])[:, None],
    )
    return Batch(torch.from_numpy(pixels), truth, torch.tensor(index) // 2)


@pytest.mark.parametrize("protocol", [Interactive(max_interactions=1), Automatic()])
def test_bytes_are_not_searched_for_numbers_that_are_no_colours(protocol, monkeypatch):
    def searched(values: torch.Tensor) -> bool:
        raise AssertionError(f"{values.dtype} was looked through")

    monkeypatch.setattr("zoo.inference.session._within", searched)
    protocol.run(Disks(5), batch())


def slow_iou(mask: np.ndarray, target: np.ndarray, ignore: np.ndarray) -> float:
    both = either = 0
    for m, t, i in zip(mask.flat, target.flat, ignore.flat, strict=True):
        both += bool(m and t and not i)
        either += bool((m or t) and not i)
    return both / either if either else 1.0


def slow_session(segment: Segment, sample: int, turns: int, stop_at: float | None) -> tuple[Clicks, list[float]]:
    """Clicks and IoUs of one sample: click, segment, measure, until nothing is wrong or the target is reached."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    clicks: Clicks = []
    ious: list[float] = []
    while len(clicks) < turns:
        clicked = [(int(y), int(x)) for x, y, _ in clicks]
        click = next_click(mask, TARGETS[sample], IGNORE[sample], clicked)
        if click is None:
            break
        clicks.append(click)
        mask = segment(sample, clicks)
        ious.append(slow_iou(mask, TARGETS[sample], IGNORE[sample]))
        if stop_at is not None and ious[-1] >= stop_at:
            break
    return clicks, ious


def slow_disks(sample: int, clicks: Clicks) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for x, y, label in clicks:
        mask[disk(y - 0.5, x - 0.5, 5)] = bool(label)
    return mask


def slow_watershed(sample: int, clicks: Clicks) -> np.ndarray:
    seeds = np.zeros((2, HEIGHT, WIDTH), bool)
    for x, y, label in clicks:
        seeds[label, int(y), int(x)] = True
    pixels = batch([sample]).image[0].permute(1, 2, 0).float().numpy() / 255
    if not seeds[1].any():
        return np.zeros((HEIGHT, WIDTH), bool)
    return Watershed(max_radius=9.0).segment(pixels, seeds[1], seeds[0])


ENGINES = {
    "disks": (lambda: Disks(5), slow_disks),
    "watershed": (lambda: Watershed(max_radius=9.0), slow_watershed),
}


def play(protocol: Interactive, engine: Engine, samples: list[int] | None = None) -> Traces:
    return protocol.run(engine, batch(samples))


def known(row: Tensor) -> list[float]:
    """Values before the NaNs, which must all stand at the end."""
    values = row.tolist()
    count = int((~row.isnan()).sum())
    assert all(np.isnan(v) for v in values[count:])
    return values[:count]


def clicks_of(said: Interactions, sample: int) -> list[tuple[float, ...]]:
    return [tuple(row) for row in said.points[sample].tolist() if row[2] >= 0]


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("stop_at", [None, 0.8])
def test_sessions_are_those_of_one_sample_at_a_time(name, stop_at):
    make, segment = ENGINES[name]
    traces = play(Interactive(max_interactions=TURNS, stop_at=stop_at), make())
    lengths = set()
    for i in range(COUNT):
        clicks, ious = slow_session(segment, i, TURNS, stop_at)
        assert clicks_of(traces.interactions, i) == [(x, y, label, turn) for turn, (x, y, label) in enumerate(clicks)]
        assert known(traces.ious[i]) == pytest.approx(ious, abs=1e-12)
        assert len(known(traces.seconds[i])) == len(ious)
        expected = segment(i, clicks) if clicks else np.zeros((HEIGHT, WIDTH), bool)
        np.testing.assert_array_equal(traces.mask[i, 0].numpy(), expected)
        lengths.add(len(ious))
    assert {0, 1} <= lengths if name == "disks" else len(lengths) > 1
    assert traces.sample_id.tolist() == list(range(40, 40 + COUNT))
    assert traces.image_id.tolist() == [i // 2 for i in range(COUNT)]


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("stop_at", [None, 0.8])
def test_a_session_does_not_depend_on_its_batch(name, stop_at):
    make, _ = ENGINES[name]
    protocol = Interactive(max_interactions=TURNS, stop_at=stop_at)
    together = play(protocol, make())
    for i in range(COUNT):
        alone = play(protocol, make(), [i])
        assert torch.equal(alone.ious[0].nan_to_num(-1), together.ious[i].nan_to_num(-1))
        assert clicks_of(alone.interactions, 0) == clicks_of(together.interactions, i)
        assert torch.equal(alone.mask[0], together.mask[i])


def test_sessions_that_ended_leave_the_batch():
    engine = Disks(5)
    traces = play(Interactive(max_interactions=TURNS), engine)
    going = (~traces.ious.isnan()).sum(0).tolist()
    assert [len(said) for said in engine.steps] == [n for n in going if n]
    assert going[0] == COUNT - len(EMPTY)
    assert going[1] < going[0]


def test_a_perfect_mask_ends_its_session_without_another_click():
    traces = play(Interactive(max_interactions=TURNS), Disks(5), [0])
    assert known(traces.ious[0]) == [1.0]
    assert clicks_of(traces.interactions, 0) == [(12.5, 10.5, 1.0, 0.0)]


def test_curves_go_on_beyond_the_targets():
    whole, stopped = (play(Interactive(max_interactions=TURNS, stop_at=s), Disks(5), [1, 2]) for s in (None, 0.5))
    for i in range(2):
        assert len(known(whole.ious[i])) == TURNS
        ious = known(stopped.ious[i])
        assert ious[-1] >= 0.5 > max(ious[:-1], default=0)
        assert known(whole.ious[i])[: len(ious)] == ious


def test_stops_exactly_at_the_target():
    first = known(play(Interactive(max_interactions=1), Disks(5), [1]).ious[0])[0]
    for stop_at, turns in ((first, 1), (np.nextafter(first, 1), 2)):
        traces = play(Interactive(max_interactions=2, stop_at=float(stop_at)), Disks(5), [1])
        assert len(known(traces.ious[0])) == turns


def test_nobody_is_asked_when_all_have_stopped():
    class Strict(Centroid):
        def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
            assert len(truth) > 0
            return super().__call__(prediction, truth, so_far, turn)

    for stop_at in (None, 0.01):
        traces = play(Interactive(Strict(), max_interactions=3, stop_at=stop_at), Disks(5), [0, 1])
        assert (~traces.ious.isnan()).sum().item() == (6 if stop_at is None else 2)


def test_success_at_the_last_click_is_a_success():
    _, ious = slow_session(slow_disks, 1, TURNS, None)
    turns = next(k for k, value in enumerate(ious, 1) if value > ious[0])
    target = ious[turns - 1]
    protocol = Interactive(max_interactions=turns, targets=(target,))
    metric = protocol.metric()
    protocol.score(metric, protocol.run(Disks(5), batch([1])), batch([1]))
    scores = {name.partition("@")[0]: float(v) for name, v in metric.compute().items() if "per_image" not in name}
    assert turns > 1
    assert (scores["noc"], scores["nof"], scores["success_ratio"]) == (turns, 0, 1)


def test_numbers_of_the_protocol_are_those_of_slow_sessions():
    protocol = Interactive(max_interactions=TURNS, targets=(0.7, 0.9))
    metric = protocol.metric()
    for samples in ([0, 1, 2], [3, 4, 5, 6], [7, 8, 0]):  # the first one twice, as a sampler pads
        protocol.score(metric, protocol.run(Disks(5), batch(samples)), batch(samples))
    scores = {name: float(value) for name, value in metric.compute().items()}
    rows = []
    for i in range(COUNT):
        ious = slow_session(slow_disks, i, TURNS, None)[1] or [1.0]  # nothing to find, and nothing was found
        rows.append(ious + [ious[-1]] * (TURNS - len(ious)))
    for target in (0.7, 0.9):
        clicks = []
        for i, row in enumerate(rows):
            reached = [k for k, value in enumerate(row, 1) if value >= target]
            clicks.append(0 if i in EMPTY else reached[0] if reached else TURNS)
        assert scores[f"noc@{100 * target:g}"] == pytest.approx(np.mean(clicks))
        assert scores[f"nof@{100 * target:g}"] == sum(max(row) < target for row in rows)
    for k in range(1, TURNS + 1):
        assert scores[f"iou@{k}"] == pytest.approx(np.mean([row[k - 1] for row in rows]))
    assert scores["sessions"] == COUNT


@pytest.mark.parametrize("sample", EMPTY)
def test_nothing_to_segment_is_right_from_the_start(sample):
    protocol = Interactive(max_interactions=TURNS, targets=(0.9,))
    metric = protocol.metric()
    traces = protocol.run(Disks(5), batch([sample]))
    protocol.score(metric, traces, batch([sample]))
    assert known(traces.ious[0]) == []
    scores = metric.compute()
    assert (float(scores["noc@90"]), float(scores["iou@1"]), float(scores["nof@90"])) == (0, 1, 0)
    (record,) = protocol.records(traces, batch([sample]))
    assert (record.score, record.ious, record.seconds) == (1.0, (), ())
    drawn = _sessions(SimpleNamespace(title="", every=[[record]]), 3)
    assert np.isnan(drawn.ious).all()
    assert drawn.initial.tolist() == [1]


def test_a_silent_user_leaves_an_iou_of_nothing():
    class Silent(SimulatedUser):
        def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
            return Interactions.empty(len(truth), truth.size)

    protocol = Interactive(Silent(), max_interactions=3, targets=(0.8,))
    metric = protocol.metric()
    engine = Disks(5)
    traces = protocol.run(engine, batch([0, 1]))
    protocol.score(metric, traces, batch([0, 1]))
    assert engine.steps == []
    assert not traces.mask.any()
    scores = metric.compute()
    assert (float(scores["noc@80"]), float(scores["iou@1"]), float(scores["nof@80"])) == (3, 0, 2)
    assert [record.score for record in protocol.records(traces, batch([0, 1]))] == [0.0, 0.0]


def test_a_user_that_falls_silent_ends_the_session():
    class Twice(Centroid):
        def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
            said = super().__call__(prediction, truth, so_far, turn)
            return said if turn < 2 else said.only(truth.sample_id == 41)

    traces = play(Interactive(Twice(), max_interactions=5), Disks(5), [0, 1, 2])
    assert (~traces.ious.isnan()).sum(1).tolist() == [2, 5, 2]


def test_records_predictions_and_stages():
    protocol, engine, given = Interactive(max_interactions=TURNS), Disks(5), batch([1, 2])
    traces = protocol.run(engine, given)
    records = protocol.records(traces, given)
    for i, record in enumerate(records):
        ious = known(traces.ious[i])
        assert (record.sample_id, record.image_id) == (41 + i, (1 + i) // 2)
        assert record.ious == tuple(ious)
        assert record.score == pytest.approx(np.mean(ious + [ious[-1]] * (TURNS - len(ious))))
        assert len(record.interactions) == 1
        assert record.prediction is None
    masks = protocol.predictions(traces)
    assert list(masks) == [41, 42]
    np.testing.assert_array_equal(masks[42], traces.mask[1, 0].numpy() * 255)
    stages = protocol.stages(engine, given, records)
    assert list(stages) == ["1 interaction", "3 interactions", "6 interactions"]
    assert stages["3 interactions"][1].ious == records[1].ious[:3]
    np.testing.assert_array_equal(stages["6 interactions"][1].prediction, masks[42] > 0)
    assert protocol.brief().max_interactions == 5
    assert protocol.max_interactions == TURNS


def test_iou_outside_what_is_ignored():
    rng = np.random.default_rng(0)
    masks, targets, ignore = (rng.random((3, 5, 7)) < 0.5 for _ in range(3))
    masks[2] = targets[2] = False
    truth = Truth(torch.from_numpy(targets)[:, None], torch.arange(3), ignore=torch.from_numpy(ignore)[:, None])
    found = iou(torch.from_numpy(masks)[:, None], truth).tolist()
    assert found == [slow_iou(*each) for each in zip(masks, targets, ignore, strict=True)]
    assert found[2] == 1.0
    nothing = Truth(truth.target, truth.sample_id)
    expected = [slow_iou(m, t, np.zeros((5, 7))) for m, t in zip(masks, targets, strict=True)]
    assert iou(torch.from_numpy(masks)[:, None], nothing).tolist() == expected


def test_a_silent_session_has_no_interactions():
    """Its time would be that of none."""
    nothing = Interactions.empty(1, (4, 4))
    assert Record(0, 0, 1.0, (), (), nothing, initial=1.0).units == 0
    assert Record(0, 0, 1.0, (0.5, 0.7), (1.0, 1.0), nothing, initial=0.0).units == 2
    assert Record(0, 0, 1.0, (), (3.0,), Interactions.empty(5, (4, 4))).units == 5

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.comparison.columns import Column, difference_text, verdict
from zoo.comparison.paired import (
    Difference,
    Differences,
    difference,
    differences,
    how_paired,
    read_differences,
    sample_scores,
)
from zoo.errors import MetricError
from zoo.evaluation.record import Record
from zoo.interactions import Interactions
from zoo.metrics import summarise

samples = st.lists(
    st.tuples(st.floats(0, 1, width=16), st.floats(0, 1, width=16), st.integers(0, 4)), min_size=2, max_size=12
).filter(lambda rows: len({cluster for _, _, cluster in rows}) > 1)


def slow(scores, others, clusters, draws, seed):
    """One draw after the other, each by pooling whole clusters."""
    names = sorted(set(clusters))
    members = [[a - b for a, b, c in zip(scores, others, clusters, strict=True) if c == name] for name in names]
    generator, means = np.random.default_rng(seed), []
    for chosen in generator.integers(0, len(names), (draws, len(names))):
        pool = [value for which in chosen for value in members[which]]
        means.append(sum(pool) / len(pool))
    means.sort()
    return [np.interp(share * (draws - 1), range(draws), means) for share in (0.025, 0.975)]


@settings(max_examples=30, deadline=None)
@given(samples, st.integers(0, 5))
def test_equals_a_loop_over_draws(rows, seed):
    scores, others, clusters = zip(*rows, strict=True)
    mean, low, high = difference(scores, others, clusters, draws=50, seed=seed)
    assert mean == pytest.approx(sum(a - b for a, b, _ in rows) / len(rows), abs=1e-12)
    assert (low, high) == pytest.approx(slow(scores, others, clusters, 50, seed), abs=1e-12)
    assert low <= high


@settings(max_examples=30, deadline=None)
@given(samples, st.sampled_from([-0.25, 0.0, 0.5]))
def test_a_constant_shift_is_exactly_that(rows, shift):
    scores, _, clusters = zip(*rows, strict=True)
    found = difference(np.add(scores, shift), scores, clusters, draws=50)
    assert found == pytest.approx((shift, shift, shift), abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(samples)
def test_swapping_the_methods_turns_the_signs(rows):
    scores, others, clusters = zip(*rows, strict=True)
    mean, low, high = difference(scores, others, clusters, draws=50)
    assert difference(others, scores, clusters, draws=50) == pytest.approx((-mean, -high, -low), abs=1e-12)


def test_samples_of_one_image_are_not_independent():
    generator = np.random.default_rng(0)
    image = np.repeat(np.arange(10), 20)
    scores = generator.normal(0, 1, 10)[image] + generator.normal(0, 0.1, 200)
    _, low, high = difference(scores, np.zeros(200), image)
    _, narrow, wide = difference(scores, np.zeros(200), np.arange(200))
    assert high - low > 3 * (wide - narrow)


def test_interval_of_independent_samples_is_close_to_the_normal_one():
    values = np.random.default_rng(1).normal(0.3, 1, 400)
    mean, low, high = difference(values, np.zeros(400), np.arange(400))
    error = values.std(ddof=1) / 20
    assert (low, high) == pytest.approx((mean - 1.96 * error, mean + 1.96 * error), abs=0.1 * error)


def test_one_image_gives_no_interval():
    assert difference([1.0, 2.0], [0.0, 0.0], [7, 7]) == (1.5, None, None)


@pytest.mark.parametrize(("scores", "clusters"), [([], []), ([1.0, 2.0], [0]), ([[1.0]], [[0]])])
def test_misuse_is_a_named_error(scores, clusters):
    with pytest.raises(MetricError, match="one number a sample"):
        difference(scores, np.zeros_like(scores), clusters)


def record(number, ious, initial=0.0, score=0.0):
    return Record(number, number // 2, score, tuple(ious), (), Interactions.empty(1, (2, 2)), initial=initial)


def test_scores_of_samples_have_the_metrics_as_their_mean():
    ious, initial = [[0.2, 0.86, 0.91], [0.5], [], [0.7, 0.6, 0.3]], [0.1, 0.2, 0.95, 0.4]
    table = [row + [np.nan] * (3 - len(row)) for row in ious]
    metrics = summarise(table, (0.7, 0.85, 0.9), 3, groups=[0, 0, 1, 1], initial=initial)
    scores = sample_scores([record(i, *pair) for i, pair in enumerate(zip(ious, initial, strict=True))], "x", metrics)
    assert scores.keys() == {"noc@85", "noc@90", "iou@1", "iou@3", "auc"}
    for name, values in scores.items():
        assert values.mean() == pytest.approx(metrics[name]), name


def test_without_turns_the_score_is_compared_if_it_is_a_metric():
    records = [record(i, (), None, score) for i, score in enumerate((0.25, 0.75))]
    assert sample_scores(records, "AJI", {"aji": 0.5})["aji"].tolist() == [0.25, 0.75]
    assert sample_scores(records, "something", {"aji": 0.5}) == {}


def test_every_method_against_the_first():
    records = [[record(i, (), None, score + shift) for i, score in enumerate((0.1, 0.4, 0.3))] for shift in (0, 0.25)]
    found = differences(["a", "b"], [[each] for each in records], "IoU", {"iou": 0})
    assert (found.first, found.samples, found.clusters) == ("a", 3, 2)
    (row,) = found.rows
    assert (row.method, row.score, row.certain) == ("b", "iou", True)
    assert (row.mean, row.low, row.high) == pytest.approx((0.25,) * 3)
    assert differences(["a"], [[records[0]]], "IoU", {"iou": 0}) is None
    with pytest.raises(MetricError, match="b and a were evaluated on different samples"):
        differences(["a", "b"], [[records[0]], [records[1][:2]]], "IoU", {"iou": 0})


@pytest.mark.parametrize(
    ("mean", "low", "high", "better", "word"),
    [
        (0.2, 0.1, 0.3, "high", "better"),
        (0.2, 0.1, 0.3, "low", "worse"),
        (-0.2, -0.3, -0.1, "high", "worse"),
        (-0.2, -0.3, -0.1, "low", "better"),
        (-0.2, -0.5, 0.1, "high", ""),
        (-0.2, None, None, "high", ""),
    ],
)
def test_what_is_certain_is_said_in_a_word(mean, low, high, better, word):
    row, column = Difference("b", "x", mean, low, high), Column("x", "X", better, 1, "")
    assert verdict(row, column) == word
    end = "(no interval)" if low is None else f"[{low:+.1f}, {high:+.1f}]"
    assert difference_text(row, column) == f"{mean:+.1f} {end} {word}".rstrip()


@pytest.mark.parametrize(
    ("images", "patients", "said"),
    [
        (1, 1, "nothing is known across images or patients"),
        (5, 1, "one patient or group: nothing is known across patients"),
        (5, 2, "of 2 patients or groups, which the interval does not account for"),
    ],
)
def test_over_what_the_interval_was_taken(images, patients, said):
    text = how_paired(Differences("a", 70, images, []), patients)
    assert said in text
    assert ("interval over images, by a bootstrap over the 5 images" in text) == (images == 5)
    assert "nothing is known" not in how_paired(Differences("a", 70, 5, []), 5)


def test_differences_are_read_as_written(tmp_path):
    found = Differences("a", 3, 1, [Difference("b", "iou", 0.25, None, None)])
    found.write(tmp_path / "a.json")
    assert read_differences(tmp_path / "a.json") == found
    assert not found.rows[0].certain

import importlib

import metrics_reference as reference
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zoo import metrics
from zoo.errors import MetricError
from zoo.metrics import INSTANCE_METRICS, InstanceStatistics, instance_statistics, overall_scores, score_instances

EMPTY = np.zeros((6, 8), np.int32)
ONE = EMPTY.copy()
ONE[1:3, 2:5] = 7
small_maps = hnp.arrays(np.int32, (5, 6), elements=st.sampled_from([0, 0, 1, 3, 300, 70000]))


def check(prediction, target):
    ours = score_instances(prediction, target)
    assert tuple(ours) == INSTANCE_METRICS
    expected = reference.scores(prediction, target)
    for key, value in expected.items():
        assert ours[key] == pytest.approx(value, abs=1e-6), key
    candidates = reference.aji_plus_candidates(prediction, target)
    assert min(abs(ours["aji_plus"] - value) for value in candidates) < 1e-9


@settings(max_examples=100, deadline=None)
@given(small_maps, small_maps)
def test_all_metrics_equal_the_references_on_noise(prediction, target):
    check(prediction, target)


@pytest.mark.parametrize("seed", range(30))
def test_all_metrics_equal_the_references_on_objects(seed):
    rng = np.random.default_rng(seed)
    check(reference.rectangles(rng, count=4), reference.rectangles(rng, count=1 + seed % 5))


def test_single_functions_equal_the_whole_set():
    rng = np.random.default_rng(1)
    p, t = reference.rectangles(rng), reference.rectangles(rng)
    whole = score_instances(p, t)
    dq, sq, pq = metrics.panoptic(p, t)
    assert whole == {
        "aji": metrics.aji(p, t),
        "aji_plus": metrics.aji_plus(p, t),
        "dq": dq,
        "sq": sq,
        "pq": pq,
        "dice": metrics.dice(p, t),
        "iou": metrics.iou(p, t),
        "hausdorff": metrics.hausdorff(p, t),
        "object_dice": metrics.object_dice(p, t),
        "object_hausdorff": metrics.object_hausdorff(p, t),
        "f1": metrics.glas_f1(p, t),
    }


@pytest.mark.parametrize("labels", [EMPTY, ONE])
def test_agreement_is_perfect(labels):
    scores = score_instances(labels, labels)
    assert all(scores[key] == (0 if "hausdorff" in key else 1) for key in INSTANCE_METRICS)


@pytest.mark.parametrize(("prediction", "target"), [(EMPTY, ONE), (ONE, EMPTY)])
def test_one_empty_map(prediction, target):
    scores = score_instances(prediction, target)
    assert all(scores[key] == (10 if "hausdorff" in key else 0) for key in INSTANCE_METRICS)


def test_ids_do_not_matter():
    rng = np.random.default_rng(5)
    p, t = reference.rectangles(rng), reference.rectangles(rng)
    expected = score_instances(p, t)
    sparse = np.array([0, 3, 300, 70_000, 2_000_000_000, 2_000_000_001, 2**31 - 1])
    assert score_instances(sparse[p], sparse[t]) == expected
    assert score_instances(p.astype(np.uint8), torch.from_numpy(t)) == expected


def test_more_than_255_objects():
    t = np.arange(1, 401).reshape(20, 20).repeat(3, 0).repeat(3, 1)
    assert score_instances(t, t)["pq"] == 1
    shifted = np.roll(t, 1, 1)
    assert score_instances(shifted, t)["dq"] == 0  # every IoU is exactly 1/2, which is no match
    assert score_instances(shifted, t)["aji"] == pytest.approx(reference.aji(shifted, t))


def test_a_large_table_counts_as_a_small_one(monkeypatch):
    rng = np.random.default_rng(2)
    p, t = reference.rectangles(rng), reference.rectangles(rng)
    expected = score_instances(p, t)
    monkeypatch.setattr("zoo.metrics.pairs._DENSE_CELLS", 0)
    assert score_instances(p, t) == expected


def test_large_objects_measure_as_small_ones(monkeypatch):
    rng = np.random.default_rng(3)
    p, t = reference.rectangles(rng), reference.rectangles(rng)
    expected = score_instances(p, t)
    monkeypatch.setattr(importlib.import_module("zoo.metrics.hausdorff"), "_MATRIX_CELLS", 0)
    assert score_instances(p, t) == pytest.approx(expected)


def test_farthest_pixel_inside_a_ring():
    ring, disk = np.zeros((15, 15), int), np.ones((15, 15), int)
    ring[:, [0, -1]] = ring[[0, -1]] = 1
    assert metrics.hausdorff(disk, ring) == 7
    assert metrics.hausdorff(ring, disk) == 7


def test_greedy_pairs_are_not_the_best_assignment():
    t, p = np.zeros((1, 100), int), np.zeros((1, 100), int)
    t[0, :50], t[0, 50:90] = 1, 2
    p[0, :20], p[0, 20:75] = 1, 2
    check(p, t)


def test_bad_maps_are_named_errors():
    with pytest.raises(MetricError, match=r"6x8.*5x8"):
        score_instances(EMPTY, EMPTY[:5])
    with pytest.raises(MetricError, match="negative id -1"):
        score_instances(-ONE.clip(0, 1), ONE)
    with pytest.raises(MetricError, match="float"):
        score_instances(ONE, ONE.astype(np.float32))
    with pytest.raises(MetricError, match=r"target has the shape \(1, 6, 8\)"):
        score_instances(ONE, ONE[None])
    with pytest.raises(MetricError, match=r"shape \(0, 4\)"):
        score_instances(np.zeros((0, 4), int), np.zeros((0, 4), int))
    with pytest.raises(MetricError, match="int64"):
        score_instances(np.full((2, 2), 2**63, np.uint64), np.zeros((2, 2), int))
    with pytest.raises(MetricError, match="No image"):
        overall_scores([])


@pytest.mark.parametrize("seed", range(5))
def test_pooled_scores_are_those_of_the_images_side_by_side(seed):
    """Far enough apart nothing crosses the seam, so all but the diagonal rule must agree."""
    rng = np.random.default_rng(seed)
    pairs = [
        (reference.rectangles(rng, count=4), reference.rectangles(rng, count=4, ids=np.arange(1, 5))) for _ in range(3)
    ]
    gap = np.zeros((24, 200), np.int32)
    tiles = []
    for side in (0, 1):
        shifted = [np.where(pair[side] > 0, pair[side] + 10 * i, 0) for i, pair in enumerate(pairs)]
        tiles.append(np.concatenate([shifted[0], gap, shifted[1], gap, shifted[2]], 1))
    statistics = [instance_statistics(*pair) for pair in pairs]
    overall = overall_scores(statistics)
    assert overall["pooled"] == pytest.approx(reference.scores(*tiles) | {"aji_plus": metrics.aji_plus(*tiles)})
    single = [reference.scores(*pair) for pair in pairs]
    for key in single[0]:
        assert overall["mean"][key] == pytest.approx(np.mean([s[key] for s in single]))


def test_statistics_survive_their_row():
    statistics = instance_statistics(ONE, np.roll(ONE, 1, 1))
    assert InstanceStatistics.from_row(statistics.row()) == statistics
    assert overall_scores([statistics])["pooled"] == pytest.approx(overall_scores([statistics])["mean"])


def test_pooled_score_of_a_single_image_is_its_score_even_if_empty():
    for prediction, target in [(EMPTY, EMPTY), (EMPTY, ONE), (ONE, EMPTY), (ONE, ONE)]:
        overall = overall_scores([instance_statistics(prediction, target)])
        assert overall["pooled"] == overall["mean"] == score_instances(prediction, target)

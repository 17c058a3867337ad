import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import MetricError
from zoo.metrics import auc, iou_at, mean_curve, noc, nof, reached, spi, summarise
from zoo.metrics.interaction import fill_forward, grouped_mean, stuck

nan = np.nan
rows = st.lists(st.floats(0, 1, width=16), min_size=1, max_size=8)


def pad(sessions):
    width = max(map(len, sessions))
    return np.array([s + [nan] * (width - len(s)) for s in sessions])


def clicks_needed(session, target, maximum):
    for k, iou in enumerate(session[:maximum], start=1):
        if iou >= target:
            return k
    return None


@settings(max_examples=100, deadline=None)
@given(st.lists(rows, min_size=1, max_size=6), st.sampled_from([0.25, 0.5, 0.75]), st.integers(1, 10))
def test_metrics_equal_a_loop_over_sessions(sessions, target, maximum):
    ious = pad(sessions)
    groups = [i // 2 for i in range(len(sessions))]
    result = summarise(ious, (target,), maximum, groups=groups)
    needed = [clicks_needed(s, target, maximum) for s in sessions]
    counted = [maximum if n is None else n for n in needed]
    successes = [n for n in needed if n is not None]
    name = f"@{target * 100:g}"
    assert noc(ious, target, maximum).tolist() == counted
    assert result[f"noc{name}"] == pytest.approx(np.mean(counted))
    assert result[f"nof{name}"] == nof(ious, target, maximum) == needed.count(None)
    assert result[f"success_ratio{name}"] == pytest.approx(len(successes) / len(needed))
    if successes:
        assert result[f"noc_success{name}"] == pytest.approx(np.mean(successes))
    else:
        assert np.isnan(result[f"noc_success{name}"])
    curve = [np.mean([s[min(k, len(s) - 1)] for s in sessions]) for k in range(maximum)]
    assert mean_curve(ious, maximum) == pytest.approx(np.array(curve))
    assert [result[f"iou@{k + 1}"] for k in range(maximum)] == pytest.approx(curve)
    assert result["auc"] == pytest.approx(np.mean(curve))
    images = [counted[i : i + 2] for i in range(0, len(counted), 2)]
    assert result[f"noc{name}_per_image"] == pytest.approx(np.mean([np.mean(image) for image in images]))
    assert result["images"] == len(images)
    assert result["sessions"] == len(sessions)


def test_success_exactly_at_the_last_click_is_a_success():
    ious = np.array([[0.1] * 19 + [0.9], [0.1] * 20, [0.1] * 20])
    assert noc(ious, 0.85).tolist() == [20, 20, 20]
    assert reached(ious, 0.85).tolist() == [True, False, False]
    result = summarise(ious, (0.85,))
    assert result["nof@85"] == 2
    assert result["success_ratio@85"] == pytest.approx(1 / 3)
    assert result["noc_success@85"] == 20


def test_both_averages_differ_when_sessions_fail():
    result = summarise([[0.86, 0.91], [0.86, 0.87]], (0.85, 0.9))
    assert (result["noc@85"], result["noc_success@85"]) == (1, 1)
    assert (result["noc@90"], result["noc_success@90"]) == (11, 2)


def test_a_target_reached_and_lost_counts_when_first_reached():
    assert noc([[0.2, 0.9, 0.3]], 0.85).tolist() == [2]


def test_single_precision_reaches_its_own_decimal():
    ious = np.array([[0.9, 0.7]], np.float32)
    assert float(ious[0, 0]) != 0.9
    assert noc(ious, 0.9).tolist() == noc(ious.astype(np.float64), 0.9).tolist() == [1]
    assert noc([[0.8999, 0.9]], 0.9).tolist() == [2]


def test_initial_masks():
    ious = [[nan, nan], [nan, 0.6], [0.3, 0.9]]
    initial = [0.9, 0.5, 0.4]
    assert fill_forward(ious, 3, initial).tolist() == [[0.9] * 3, [0.5, 0.6, 0.6], [0.3, 0.9, 0.9]]
    assert noc(ious, 0.85, 3, initial).tolist() == [0, 3, 2]
    assert fill_forward(np.empty((1, 0)), 2, [0.5]).tolist() == [[0.5, 0.5]]


def test_per_image_means_do_not_favour_crowded_images():
    ious = [[0.9]] * 9 + [[0.1]]
    groups = ["a"] * 9 + ["b"]
    assert iou_at(ious, 1) == pytest.approx(0.82)
    assert iou_at(ious, 1, groups=groups) == pytest.approx(0.5)
    assert auc(ious, 20, groups=groups) == pytest.approx(0.5)
    result = summarise(ious, (0.85,), groups=groups)
    assert result["success_ratio@85_per_image"] == 0.5
    assert result["noc_success@85_per_image"] == 1


def test_seconds_per_interaction():
    assert spi([[1.0, 2.0], [6.0, nan]]) == 3
    assert np.isnan(spi([[nan]]))
    assert summarise([[0.5]], seconds=[[0.25]])["spi"] == 0.25


def test_sessions_that_end_early_below_the_target_are_stuck():
    ious = [[0.2, 0.3, nan], [0.2, 0.95, nan], [0.2, 0.3, 0.4], [nan] * 3, [nan] * 3, [0.85, nan, nan], [0.9, 0.1, nan]]
    initial = [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    assert stuck(ious, 0.9, 3, initial).tolist() == [True, False, False, True, False, True, False]
    assert summarise(ious, (0.8, 0.9), 3, initial=initial)["stuck"] == 3
    assert summarise(ious, (0.8, 0.9), 3, initial=initial, stop_at=0.85)["stuck"] == 2
    assert summarise(ious, (), 3, initial=initial).get("stuck") is None


def test_misuse_is_a_named_error():
    with pytest.raises(MetricError, match=r"1 of 2 sessions have no IoU .*rows \[1\]"):
        noc([[0.1], [nan]], 0.5)
    with pytest.raises(MetricError, match=r"within 0..1"):
        noc([[1.5]], 0.5)
    with pytest.raises(MetricError, match=r"not \(1,\)"):
        noc([0.5], 0.5)
    with pytest.raises(MetricError, match="No session"):
        summarise(np.empty((0, 20)))
    with pytest.raises(MetricError, match="`initial`"):
        noc([[0.5]], 0.5, initial=[0.1, 0.2])
    with pytest.raises(MetricError, match="`groups`"):
        grouped_mean([1.0], [1, 2])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1, width=16), rows), min_size=1, max_size=6), st.integers(1, 8))
def test_initial_masks_equal_a_loop_over_sessions(sessions, maximum):
    initial, ious = [first for first, _ in sessions], pad([session for _, session in sessions])
    result = summarise(ious, (0.5,), maximum, initial=initial)
    needed = [0 if first >= 0.5 else clicks_needed(session, 0.5, maximum) for first, session in sessions]
    assert result["iou@0"] == pytest.approx(sum(initial) / len(initial))
    assert result["noc@50"] == pytest.approx(np.mean([maximum if n is None else n for n in needed]))
    assert result["iou@1"] == pytest.approx(np.mean([session[0] for _, session in sessions]))
    assert "iou@0" not in summarise(ious, (0.5,), maximum)
    assert "iou@0" not in summarise(ious, (0.5,), maximum, initial=[nan] * len(initial))


def test_total_seconds_are_summed_over_sessions():
    assert summarise([[0.5, 0.6], [0.7, nan]], seconds=[[0.25, 1.0], [2.0, nan]])["seconds"] == 3.25

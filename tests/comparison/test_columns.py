from dataclasses import replace

import pytest

from zoo.comparison.columns import columns
from zoo.comparison.result import DataSummary, Result
from zoo.metrics import summarise

DATA = DataSummary("Blobs", "test", "field", "CC0 1.0", "Nobody 2020", "a" * 64, None, 3, 5, 70)
IOUS = [[0.6] * 5 + [0.87] * 15, [0.5] * 20]


def result(targets, initial=None, turns=20, **changes) -> Result:
    metrics = summarise(IOUS, targets, turns, [[0.1] * 20] * 2, [0, 1], initial)
    return replace(Result("x", "X", "interactive", {}, DATA, metrics), **changes)


def test_scribbles_are_interactions_with_both_averages():
    found = columns([result((0.85, 0.9), [0.6, 0.55], interaction="scribble")])
    assert [column.label for column in found] == [
        "success@85", "success@90", "NoI@85", "NoI@90", "NoI@85 of successes",
        "IoU@0", "IoU@1", "IoU@5", "IoU@20", "mean IoU", "total time (s)",
    ]  # fmt: skip  # nobody reaches 0.9, so that there is no mean over those who do
    values = {column.label: column.value(result((0.85, 0.9), [0.6, 0.55])) for column in found}
    assert (values["NoI@85"], values["NoI@85 of successes"]) == (13, 6)
    assert values["IoU@0"] == pytest.approx(0.575)
    assert values["total time (s)"] == pytest.approx(4)
    assert [column.label for column in found if column.timed] == ["total time (s)"]


def test_many_targets_leave_no_room_for_more():
    labels = [column.label for column in columns([result((0.7, 0.8, 0.85, 0.9), [0.0, 0.0])])]
    assert len(labels) == 4 + 4 + 6
    assert "NoC@70" in labels
    assert not any(word in label for label in labels for word in ("NoI", "of successes", "NoF", "IoU@0", "time"))


def test_one_turn_has_no_curve():
    labels = [column.label for column in columns([result((0.85,), [0.6, 0.55], turns=1)])]
    assert "IoU@1" in labels
    assert "mean IoU" not in labels


def test_instance_maps_are_not_judged_as_regions():
    def labels(metrics):
        return [column.label for column in columns([replace(result((0.85,)), metrics=metrics)])]

    assert labels({"iou": 0.5, "aji": 0.4}) == ["AJI"]
    assert labels({"iou": 0.5, "iou_pooled": 0.4}) == ["IoU (all pixels)", "IoU"]

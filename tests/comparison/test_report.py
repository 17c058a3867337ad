import json
import re
from dataclasses import replace

import numpy as np
import torch

from zoo.comparison.known import note
from zoo.comparison.report import _sample
from zoo.comparison.result import DataSummary, Result
from zoo.comparison.sections import Course, Shown, choose_stuck
from zoo.data.batch import Batch
from zoo.evaluation.record import Record
from zoo.evaluation.stages import Mark, drawn, marks
from zoo.interactions import Interactions
from zoo.users.base import Truth

DATA = DataSummary("DSB2018 stained (embedded subset)", "test", "patient", "CC0 1.0", "x", "a" * 64, None, 1, 10, 300)
GLANDS = {"weights": {"name": "ritm-glands-glas", "sha256": "c" * 64}}
RESULT = Result("a", "Mine", "one-shot", {}, DATA, {"aji": 0.6}, checkpoint=GLANDS)


def record(number: int, score: float, stuck: bool = False) -> Record:
    return Record(number, 0, score, (), (), Interactions.empty(1, (2, 2)), stuck=stuck)


def test_the_worst_sessions_that_got_stuck_with_any_method():
    first = [record(0, 0.5, True), record(1, 0.9), record(2, 0.3, True), record(3, 0.0)]
    second = [record(0, 0.1, True), record(1, 0.2, True), record(2, 0.9), record(3, 0.0)]
    assert choose_stuck({"A": first, "B": second}) == {"stuck with A and B": 0, "stuck with B": 1}
    assert choose_stuck({"A": first[1:2]}) == {}


def test_weights_say_what_they_were_trained_on_and_that_data_is_new():
    new = note(RESULT)
    assert new.startswith("Mine (ritm-glands-glas) was trained on GlaS (Warwick QU")
    assert "DSB2018 stained (embedded subset) is not among it" in new
    assert "Not a medical device" in new
    known = note(replace(RESULT, data=replace(DATA, dataset="GlaS")))
    assert known.startswith("Mine")
    assert "not among" not in known
    assert note(replace(RESULT, checkpoint=None)) == ""
    assert note(replace(RESULT, checkpoint={"weights": {"name": "mine.ckpt", "sha256": ""}})) == ""


def test_clicks_lie_where_the_picture_shows_them():
    target = torch.zeros(1, 1, 200, 200, dtype=torch.bool)
    target[..., 100:160, 40:80] = True
    instances = target.to(torch.int64)
    truth = Truth(target, torch.zeros(1, dtype=torch.int64), instances=instances, object_id=torch.ones(1).long())
    batch = Batch(torch.zeros(1, 3, 200, 200, dtype=torch.uint8), truth, torch.zeros(1).long())
    clicks = torch.tensor([[[60.5, 130.5, 1, 0], [199.0, 1.0, 0, 1], [41.5, 120.5, 0, 2], [0, 0, -1, 3]]])
    one = replace(record(0, 0.5), interactions=Interactions.of(clicks, (200, 200)), initial=0.0, ious=(0.1, 0.2, 0.3))
    # The square of 150 px around the target, moved inside the image, begins at (0, 50).
    assert marks(batch, one) == [
        Mark(60.5 / 150, 80.5 / 150, 1, True),
        Mark(41.5 / 150, 70.5 / 150, 3, False),
    ]
    assert marks(batch, replace(one, initial=None)) == []

    class Protocol:
        ranked_by = "IoU"

    ((caption, picture),) = drawn(Protocol(), batch, {"3 interactions": [one]})
    assert caption == "3 interactions, IoU 0.300"
    assert picture.shape == (450, 450, 3)


def test_every_picture_of_a_session_knows_its_turns():
    picture = np.zeros((8, 8, 3), np.uint8)
    course = Course((0.25, 0.5), [1, 2], [[Mark(0.5, 0.25, 1, True)], [Mark(0.5, 0.25, 1, True)]])
    page = _sample(Shown("worst", [("image", picture)], [("A <b>", [("1", picture), ("2", picture)])], [course]))
    figures = re.findall("<figure[^>]*>", page)
    assert len(figures) == 3
    assert all('tabindex="0"' in figure for figure in figures)
    assert 'data-title="A &lt;b&gt;"' in figures[1]
    found = re.search('data-marks="([^"]*)" data-ious="([^"]*)" data-turns="1"', figures[1])
    assert json.loads(found[1]) == [[0.5, 0.25, 1, True]]
    assert json.loads(found[2]) == [0.25, 0.5]

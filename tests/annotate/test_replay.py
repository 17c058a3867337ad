"""What people said, told to other checkpoints, gives a table like any other."""

import json

import pytest
import torch

from tests.helpers.annotator import begin, click, client_of, mask_of, said
from zoo.cli import main
from zoo.errors import ConfigError, InteractionError
from zoo.interactions import Click, Interactions, Scribble, write_json
from zoo.users import Recorded, Truth


def truth(*samples, size=(20, 30)):
    return Truth(torch.zeros(len(samples), 1, *size, dtype=torch.bool), torch.tensor(samples))


def test_a_recorded_person_says_what_was_said(tmp_path):
    write_json(tmp_path / "a.json", [
        [Click(1.5, 2.5), Click(3.5, 4.5, False, turn=1)],
        [Click(5.5, 6.5, turn=2), Scribble(((1, 1), (5, 5)), turn=4)],
    ])  # fmt: skip
    user = Recorded(str(tmp_path / "a.json"))
    assert (user.turns, user.gives) == (2, "scribble")
    both = truth(1, 0)
    nothing = Interactions.empty(2, both.size)
    first = user(both.target, both, nothing, 0)
    assert first.points[:, 0].tolist() == [[5.5, 6.5, 1, 0], [1.5, 2.5, 1, 0]]
    second = user(both.target, both, nothing, 1)
    assert second.spoken.tolist() == [True, True]
    assert second.strokes[0, 0].any()
    assert not second.strokes[1].any()
    assert not user(both.target, both, nothing, 2).spoken.any()
    with pytest.raises(ConfigError, match="2 objects were recorded"):
        user(both.target, truth(2), nothing, 0)
    assert "a.json" in repr(user)


def test_what_is_no_record_is_refused(tmp_path):
    (tmp_path / "a.h5").write_text("no store")
    write_json(tmp_path / "b.json", [[]])
    for name, words in (("a.h5", "export it again"), ("none.h5", "no such file"), ("b.json", "nothing was said")):
        with pytest.raises(InteractionError, match=words):
            Recorded(str(tmp_path / name))


def test_a_replay_of_the_same_checkpoint_ends_with_the_persons_masks(originals, models, index, tmp_path, monkeypatch):
    kept = tmp_path / "kept.sqlite"
    with client_of(originals, models, save=kept) as client:
        first = begin(client, click(500, 400), image="slide.svs", region=[400, 300, 200, 160])
        said(client, first["id"], click(450, 350, False))
        said(client, first["id"], click(560, 410))
        second = begin(client, click(40.5, 40.5), image="deep/b.png")
        assert mask_of(client, second["id"]).any()
        begin(client, image="a.png")
        square = {"type": "Polygon", "coordinates": [[[1, 1], [9, 1], [9, 9], [1, 1]]]}
        begin(client, geometry=square)
    checkpoint = str(index.parent / "whole")
    out = tmp_path / "out"
    monkeypatch.chdir(tmp_path)
    options = ["--root", str(originals), "--checkpoint", checkpoint]
    assert main(["replay", str(kept), *options, "--out", str(out)]) == 0
    (same,) = json.loads((out / "results.json").read_text())["results"]
    traces = [json.loads(line) for line in (out / "traces" / "replay" / "whole.jsonl").read_text().splitlines()]
    assert [len(each["ious"]) for each in traces] == [3, 1]
    assert all(each["ious"][-1] == 1 for each in traces)
    assert traces[0]["ious"][0] < 1
    assert same["data"]["objects"] == 2
    assert (out / "report.html").is_file()
    options += ["--checkpoint", str(index.parent / "fine")]
    assert main(["replay", str(kept), *options, "--out", str(tmp_path / "two")]) == 0
    results = json.loads((tmp_path / "two" / "results.json").read_text())["results"]
    assert [each["title"] for each in results] == ["whole", "fine"]
    own, other = (each["metrics"]["auc"] for each in results)
    assert other < own
    assert own == pytest.approx(same["metrics"]["auc"], abs=0.02)  # its store is finer


def test_mistakes_of_a_replay_are_told(tmp_path, capsys, originals, models):
    assert main(["replay", str(tmp_path / "none.sqlite"), "--checkpoint", "nuclei", "--out", str(tmp_path)]) == 2
    assert "no such file" in capsys.readouterr().err
    with client_of(originals, models, save=tmp_path / "a.sqlite"):
        pass
    options = ["--root", str(originals), "--checkpoint", "nuclei", "--out", str(tmp_path / "out")]
    assert main(["replay", str(tmp_path / "a.sqlite"), *options]) == 2
    assert "nothing to replay" in capsys.readouterr().err
    assert not (tmp_path / "out" / "annotations.h5").exists()

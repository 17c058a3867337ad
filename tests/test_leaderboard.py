import json
from dataclasses import replace
from pathlib import Path

import pytest

from zoo.cli import main
from zoo.evaluation.result import DataSummary, Result, Speed, read

ROOT = Path(__file__).parents[1]
DATA = DataSummary("Blobs", "test", "field", "CC0 1.0", "Nobody 2020", "a" * 64, None, 3, 5, 70)
GOOD = Result(
    experiment="good",
    title="Good | method",
    protocol="one-shot",
    settings={"user": "Centroid", "jitters": 0},
    data=DATA,
    metrics={"aji": 0.8126, "hausdorff": 3.456, "pq": None},
    command="zoo compare experiments/good.yaml",
    config_hash="b" * 64,
    commit=None,
    seed=1,
    device="a processor",
    versions={"python": "3.12"},
    speed=Speed("object", 0.001, 0.0021, 70),
)
BAD = replace(GOOD, experiment="bad", title="Bad", metrics={"aji": 0.7, "hausdorff": 3.0, "pq": None})
PAPER = replace(
    GOOD, experiment="paper", title="Printed", source="paper", reference="Somebody 2020, Table 3",
    metrics={"aji": 0.999}, settings={},
    command=None, config_hash=None, seed=None, device=None, versions=None, speed=None,
)  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for result in GOOD, BAD, PAPER:
        result.write(tmp_path / "experiments" / "results" / f"{result.experiment}.json")
    return tmp_path


def test_the_shipped_leaderboard_is_fresh(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert main(["leaderboard", "--check"]) == 0, capsys.readouterr().err


def test_tables(folder):
    assert main(["leaderboard"]) == 0
    text = (folder / "leaderboard.md").read_text()
    assert "## Blobs, test split: one-shot\n" in text
    assert "split by field; n = 5 images, 70 objects; user: Centroid, jitters: 0; data licence CC0 1.0" in text
    lines = text.splitlines()
    assert "| method | AJI ↑ | Hausdorff (px) ↓ | end to end, device |" in lines
    assert r"| [Good \| method](experiments/good.yaml) | **0.813** | 3.46 | 2.1 ms an object, a processor |" in lines
    assert "| [Bad](experiments/bad.yaml) | 0.700 | **3.00** | 2.1 ms an object, a processor |" in lines
    assert "| Printed | 0.999 | Somebody 2020, Table 3 |" in lines
    paper = lines.index("| Printed | 0.999 | Somebody 2020, Table 3 |")
    assert "not comparable" in lines[paper - 4]


def test_different_settings_data_or_counts_never_share_a_table(folder):
    others = {
        "jittered": replace(BAD, settings={"user": "Centroid", "jitters": 3}),
        "elsewhere": replace(BAD, data=replace(DATA, checksum="c" * 64)),
        "fewer": replace(BAD, data=replace(DATA, objects=69)),
        "validation": replace(BAD, data=replace(DATA, split="val")),
    }
    for name, result in others.items():
        replace(result, experiment=name, metrics={"aji": 0.9}).write(folder / "experiments/results" / f"{name}.json")
    assert main(["leaderboard"]) == 0
    text = (folder / "leaderboard.md").read_text()
    assert text.count("| method |") == 1 + len(others) + 1  # and the papers' table
    assert text.count("**") == 4  # the two bold numbers of the one table with two rows


def test_stale(folder, capsys):
    assert main(["leaderboard", "--check"]) == 2
    assert main(["leaderboard"]) == 0
    assert main(["leaderboard", "--check"]) == 0
    replace(GOOD, metrics={"aji": 0.5}).write(folder / "experiments/results/good.json")
    capsys.readouterr()
    assert main(["leaderboard", "--check"]) == 2
    assert "stale" in capsys.readouterr().err


def test_no_results_yet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["leaderboard"]) == 2
    (tmp_path / "experiments" / "results").mkdir(parents=True)
    assert main(["leaderboard"]) == 0
    assert "no results yet" in (tmp_path / "leaderboard.md").read_text()


def test_a_result_is_read_as_written(folder):
    assert read(folder / "experiments/results/good.json") == GOOD
    assert read(folder / "experiments/results/paper.json") == PAPER


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "isegzoo.result/0"}, "no result of this version"),
        ({"surprise": 1}, "surprise"),
        ({"title": ""}, "a name is empty"),
        ({"metrics": {}}, "metrics are no numbers"),
        ({"metrics": {"aji": "high"}}, "metrics are no numbers"),
        ({"config_hash": None}, "config_hash missing"),
        ({"config_hash": "abc"}, "no sha256"),
        ({"source": "paper"}, "needs its `reference`"),
        ({"source": "hearsay"}, "not 'measured' or 'paper'"),
        ({"data": None}, "data is missing"),
        ({"data": {"dataset": "Blobs"}}, "DataSummary"),
    ],
)
def test_malformed_results_are_named(folder, capsys, change, message):
    path = folder / "experiments/results/good.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert main(["leaderboard"]) == 2
    error = capsys.readouterr().err
    assert "good.json" in error
    assert message in error


def test_limited_results_are_refused(folder, capsys):
    replace(GOOD, data=replace(DATA, limit=2)).write(folder / "experiments/results/good.json")
    assert main(["leaderboard"]) == 2
    assert "first 2 images" in capsys.readouterr().err


def test_not_json(folder, capsys):
    (folder / "experiments/results/broken.json").write_text("{")
    assert main(["leaderboard"]) == 2
    assert "broken.json: not readable as JSON" in capsys.readouterr().err

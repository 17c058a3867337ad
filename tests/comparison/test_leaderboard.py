import json
from dataclasses import replace
from pathlib import Path

import pytest

from zoo.cli import main
from zoo.comparison.paired import Difference, Differences
from zoo.comparison.published import read_published
from zoo.comparison.result import DataSummary, Result, Speed, read
from zoo.config.compose import Address, resolve
from zoo.hub.index import entries

ROOT = Path(__file__).parents[2]
PUBLISHED = Path("experiments/results/published.yaml")
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


def test_the_shipped_results_are_of_the_shipped_checkpoints():
    known, seen = entries(), set()
    for path in sorted((ROOT / "experiments" / "results").glob("*/*.json")):
        for checkpoint in (read(path).checkpoint or {}).values():
            if checkpoint["name"] in known:
                assert checkpoint["sha256"] == known[checkpoint["name"]].files["model.safetensors"], path.name
                seen.add(checkpoint["name"])
    assert seen == set(known)


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
        "other": replace(BAD, data=replace(DATA, samples="d" * 64)),
        "table/unsaid": BAD,
    }
    for name, result in others.items():
        replace(result, experiment=name, metrics={"aji": 0.9}).write(folder / "experiments/results" / f"{name}.json")
    assert main(["leaderboard"]) == 0
    text = (folder / "leaderboard.md").read_text()
    assert text.count("| method |") == 1 + len(others) + 1  # and the papers' table
    assert text.count("**") == 4  # the two bold numbers of the one table with two rows


def test_results_that_do_not_say_their_samples_share_a_table_only_with_their_own(folder):
    results = folder / "experiments" / "results"
    said = replace(BAD, data=replace(DATA, samples="d" * 64))
    for name, result in {"t/a": BAD, "t/b": BAD, "u/a": BAD, "u/b": said, "v/a": said}.items():
        replace(result, experiment=name, title=name).write(results / f"{name}.json")
    assert main(["leaderboard"]) == 0
    tables = (folder / "leaderboard.md").read_text().split("| method |")[1:]
    titles = [[line.split("]")[0][3:] for line in table.splitlines() if line.startswith("| [")] for table in tables]
    assert titles[:-1] == [["Bad", r"Good \| method"], ["t/a", "t/b"], ["u/a"], ["u/b", "v/a"]]


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


def test_every_refinenets_guide_is_recorded():
    for path in sorted((ROOT / "experiments" / "results").glob("*/*.json")):
        row = resolve(Address(ROOT / "experiments" / "tables" / f"{path.parent.name}.yaml", path.stem))
        named = {"weights", "guide", "low", "high"} & {
            name for name, value in row["model"].get("init_args", {}).items() if value
        }
        assert set(read(path).checkpoint or {}) == named, path


def test_results_of_before_with_one_checkpoint_are_read(folder):
    path, old = folder / "experiments/results/good.json", {"name": "last.ckpt", "sha256": "e" * 64}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"checkpoint": old}))
    assert read(path).checkpoint == {"weights": old}


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
        ({"checkpoint": {"weights": "last.ckpt"}}, "checkpoint has no name and sha256"),
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


PAIRED = Differences(
    "good", 70, 5,
    [Difference("bad", "aji", 0.7 - 0.8126, -0.15, -0.05), Difference("bad", "hausdorff", 3.0 - 3.456, -1.0, 0.5)],
)  # fmt: skip


def test_differences_stand_below_their_table(folder):
    PAIRED.write(folder / "experiments/results/differences/good.json")
    assert main(["leaderboard"]) == 0
    lines = (folder / "leaderboard.md").read_text().splitlines()
    place = lines.index("| Bad | **-0.113 [-0.150, -0.050] worse** | -0.46 [-1.00, +0.50] |")
    assert lines[place - 2] == "| method | AJI ↑ | Hausdorff (px) ↓ |"
    assert lines[place - 4].startswith(r"Differences to Good \| method. ")
    assert "70 samples" in lines[place - 4]
    assert "5 images" in lines[place - 4]
    (folder / "experiments/results/differences/good.json").unlink()
    assert main(["leaderboard", "--check"]) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"metrics": {"aji": 0.71, "hausdorff": 3.0}},
        {"metrics": {"hausdorff": 3.0}},
        {"settings": {"user": "Centroid", "jitters": 2}},
    ],
)
def test_differences_of_other_measurements_are_refused(folder, capsys, change):
    PAIRED.write(folder / "experiments/results/differences/good.json")
    replace(BAD, **change).write(folder / "experiments/results/bad.json")
    assert main(["leaderboard"]) == 2
    assert "good.json: bad's aji differs" in capsys.readouterr().err


def test_differences_of_a_missing_result_and_malformed_ones(folder, capsys):
    path = folder / "experiments/results/differences/good.json"
    PAIRED.write(path)
    (folder / "experiments/results/bad.json").unlink()
    assert main(["leaderboard"]) == 2
    path.write_text("{}")
    assert main(["leaderboard"]) == 2
    assert "no differences of this version" in capsys.readouterr().err


TABLE = """
- {paper: "Somebody 2020", table: "Table 1: x", data: images, columns: [IoU, clicks], rows: {A | B: [0.90, null]}}
- {paper: "Somebody 2020", table: Table 2, data: more, device: a card, columns: [s], rows: {A: [3]}, note: Slow.}
"""


def test_published_numbers_are_a_block_of_their_own(folder):
    assert main(["leaderboard"]) == 0
    path = folder / "experiments/results/published.yaml"
    path.write_text(TABLE)
    assert main(["leaderboard", "--check"]) == 2
    assert main(["leaderboard"]) == 0
    text = (folder / "leaderboard.md").read_text()
    before, _, block = text.partition("## Published by the authors")
    assert "0.90" not in before
    assert "not comparable with the tables above" in block
    assert block.count("### Somebody 2020") == 1
    assert "Table 1: x. images. Published by the authors, not comparable.\n\n| method | IoU | clicks |\n" in block
    assert "| A \\| B | 0.90 | – |\n" in block
    assert "Table 2. more; a card." in block
    assert block.endswith("| A | 3 |\n\nSlow.\n")
    path.write_text(TABLE.replace("0.90", "0.91"))
    assert main(["leaderboard", "--check"]) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", "not readable as YAML"),
        ("a: 1", "a list of tables"),
        ("- {paper: P}", "table 1"),
        (TABLE.replace("[0.90, null]", "[0.90]"), "row 'A | B': needs 2 numbers"),
        (TABLE.replace("0.90", "high"), "row 'A | B': needs 2 numbers"),
    ],
)
def test_malformed_published_tables_are_named(folder, capsys, content, message):
    (folder / "experiments/results/published.yaml").write_text(content)
    assert main(["leaderboard"]) == 2
    error = capsys.readouterr().err
    assert "published.yaml" in error
    assert message in error


def test_the_shipped_published_tables_hold_the_papers_numbers(monkeypatch):
    monkeypatch.chdir(ROOT)
    tables = {(each.paper.split(":")[1].strip(), each.table.split(":")[0]): each for each in read_published(PUBLISHED)}
    assert len(tables) == 2 + 9 + 1
    scribbles = tables["DeepScribble", "Table 1"]
    assert scribbles.rows["DeepScribble"] == ["0.8", "6.4", "5.9", "36", "0.6"]
    assert tables["DeepScribble", "Table 2"].rows["RefineNet I+P+D"] == ["0.933"]
    assert tables["NuClick", "Table II"].rows["NuClick"] == ["0.834", "0.912", "0.839", "0.838", "4.05"]
    assert tables["ZoomISEG", "Table 1"].rows["L1 only"] == ["0.942", "867"]

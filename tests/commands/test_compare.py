import json
import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.blobs import write_experiment, write_store
from zoo.cli import main
from zoo.commands.compare import command_of, parsed, side_by_side
from zoo.comparison.result import read
from zoo.config.compose import Address
from zoo.data import ObjectWindows, PatchDataModule
from zoo.errors import ConfigError
from zoo.evaluation import Interactive, OneShotProtocol
from zoo.methods import RegionGrowing, Watershed
from zoo.store.reader import Store

ROOT = Path(__file__).parents[2]
WINDOWS = partial(ObjectWindows, side=64)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four experiments, compared."""
    folder = tmp_path_factory.mktemp("compare")
    store = write_store(folder / "blobs.h5")
    paths = [
        write_experiment(folder / "a.yaml", store, "Watershed"),
        write_experiment(folder / "b.yaml", store, "RegionGrowing"),
        write_experiment(folder / "c.yaml", store, "Watershed", oneshot=True),
        write_experiment(folder / "d.yaml", store, "RegionGrowing", oneshot=True),
    ]
    assert main(["compare", *map(str, paths), "--out", str(folder / "out"), "--save-results"]) == 0
    return folder


def results(folder: Path) -> list[dict]:
    return json.loads((folder / "out" / "results.json").read_text())["results"]


def direct(folder: Path, method, protocol) -> dict[str, float]:
    """The same numbers without Lightning, command line and batches of several samples."""
    data = PatchDataModule([str(folder / "blobs.h5")], batch_size=1)
    data.evaluated = protocol.samples
    data.setup("test")
    metric = protocol.metric()
    for batch in data.test_dataloader():
        protocol.score(metric, protocol.run(method.engine(), batch), batch)
    return {name: float(value) for name, value in metric.compute().items()}


@pytest.mark.parametrize(
    ("number", "method", "protocol"),
    [
        (0, Watershed, Interactive(max_interactions=4, samples=WINDOWS)),
        (1, RegionGrowing, Interactive(max_interactions=4, samples=WINDOWS)),
        (2, Watershed, OneShotProtocol()),
        (3, RegionGrowing, OneShotProtocol()),
    ],
)
def test_numbers_are_those_of_the_protocol(run, number, method, protocol):
    found, expected = results(run)[number]["metrics"], direct(run, method(), protocol)
    assert found.keys() == expected.keys()
    for name in expected.keys() - {"spi", "seconds"}:
        if np.isnan(expected[name]):
            assert found[name] is None
        else:
            assert found[name] == pytest.approx(expected[name], abs=1e-12), name


def test_the_first_session_by_hand(run):
    """The trace's IoU after the first click is that of a mask made from the trace's own click."""
    data = PatchDataModule([str(run / "blobs.h5")], train=WINDOWS, batch_size=1)
    data.setup("test")
    batch = next(iter(data.test_dataloader()))
    trace = json.loads((run / "out" / "traces" / "a.jsonl").read_text().splitlines()[0])
    x, y, label, turn = trace["clicks"][0][0]
    assert (label, turn) == (1, 0)
    assert trace["from"] == {
        "file": "blobs.h5", "group": "g2", "slide": "s2", "patient": "p2", "item": 0, "object": 10,
        "x0": 0, "y0": 0, "side": 64,
    }  # fmt: skip
    image = batch.image[0].permute(1, 2, 0).numpy().astype(np.float32) / 255
    seed = np.zeros(image.shape[:2], bool)
    seed[int(y), int(x)] = True
    mask, target = Watershed().segment(image, seed, np.zeros_like(seed)), batch.truth.target[0, 0].numpy()
    assert trace["ious"][0] == pytest.approx((mask & target).sum() / (mask | target).sum(), abs=1e-9)


def test_traces_hold_every_sample_in_order(run):
    lines = [json.loads(line) for line in (run / "out" / "traces" / "b.jsonl").read_text().splitlines()]
    assert [line["sample"] for line in lines] == list(range(8))
    assert [line["from"]["object"] for line in lines] == [10, 20, 30, 40] * 2
    mean = np.mean([line["ious"][0] for line in lines])
    assert results(run)[1]["metrics"]["iou@1"] == pytest.approx(mean, abs=1e-12)
    for line in lines:
        assert len(line["ious"]) == len(line["seconds"]) == len(line["clicks"][0])


def test_result_says_where_it_comes_from(run):
    result = results(run)[0]
    data = result["data"]
    assert (data["dataset"], data["split"], data["split_unit"], data["licence"]) == (
        "Blobs", "test", "patient", "CC0 1.0",
    )  # fmt: skip
    assert (data["images"], data["objects"], data["patients"], data["limit"]) == (2, 8, 2, None)
    assert result["seed"] == 0
    assert result["versions"]["torch"] == torch.__version__
    assert result["speed"]["unit"] == "interaction"
    assert 0 < result["speed"]["model"] <= result["speed"]["end_to_end"]
    assert results(run)[2]["speed"]["unit"] == "object"
    assert results(run)[2]["data"]["objects"] == 8
    assert read(run / "results" / "a.json").to_json() == result


def test_report_stands_alone(run):
    page = (run / "out" / "report.html").read_text()
    assert not re.search(r'(src|href)=(?!"data:image/(png|jpeg);base64,)', page)
    assert page.count("<table data-sortable>") == 2 + 2  # results, and differences to the first
    assert page.count("<h3>Differences to Watershed &lt;") == 2
    assert "Watershed &lt;many&gt;" in page
    assert "Watershed <many>" not in page
    for number in results(run)[0]["metrics"]["iou@1"], results(run)[3]["metrics"]["aji"]:
        assert f">{number:.3f}</td>" in page
    three_samples, two_images = 3 * (2 + 2 * 3), 2 * (2 + 2)
    assert page.count("<img ") == three_samples + two_images
    for name in "curves.png", "success.png":
        assert (run / "out" / name).read_bytes().startswith(b"\x89PNG")
    for name in "overlays-interactive.jpg", "overlays-one-shot.jpg":
        assert (run / "out" / name).read_bytes().startswith(b"\xff\xd8")


def test_differences_are_those_of_the_traces(run):
    """Means by hand from the traces, intervals by a slow bootstrap over the two images."""
    content = json.loads((run / "out" / "results.json").read_text())
    interactive, oneshot = content["differences"]
    first, other = ([json.loads(x) for x in (run / "out/traces" / f"{n}.jsonl").read_text().splitlines()] for n in "ab")
    assert (interactive["first"], interactive["samples"], interactive["clusters"]) == ("a", 8, 2)
    assert (oneshot["first"], oneshot["samples"], oneshot["clusters"]) == ("c", 2, 2)
    (row,) = [row for row in interactive["rows"] if row["score"] == "iou@1"]
    values = np.array([b["ious"][0] - a["ious"][0] for a, b in zip(first, other, strict=True)])
    images = [values[:4].mean(), values[4:].mean()]  # of equal size: the extremes of any bootstrap
    assert row["mean"] == pytest.approx(values.mean(), abs=1e-12)
    assert (row["low"], row["high"]) == pytest.approx((min(images), max(images)), abs=1e-12)
    assert [row["score"] for row in oneshot["rows"]] == ["aji"]
    assert sorted(path.stem for path in (run / "results" / "differences").iterdir()) == ["a", "c"]
    saved = json.loads((run / "results" / "differences" / "a.json").read_text())
    assert interactive.items() <= saved.items()


def test_nothing_temporary_stays(run):
    assert not [path for path in run.rglob("*") if path.name.startswith(".") or path.suffix == ".tmp"]


def test_limit_and_json(run, tmp_path, capsys):
    assert main(["compare", str(run / "c.yaml"), "--out", str(tmp_path / "o"), "--limit", "1", "--json"]) == 0
    out, err = capsys.readouterr()
    (result,) = json.loads(out)
    assert (result["data"]["images"], result["data"]["objects"], result["data"]["limit"]) == (1, 4, 1)
    assert "AJI" in err
    assert "Only the first 1 images" in (tmp_path / "o" / "report.html").read_text()
    whole = results(run)[2]
    assert result["metrics"]["aji"] != whole["metrics"]["aji"]
    assert result["config_hash"] != whole["config_hash"]


def test_config_hash_knows_no_folder_but_every_argument(run, tmp_path):
    store = write_store(tmp_path / "blobs.h5")
    same = write_experiment(tmp_path / "same.yaml", store, "Watershed")
    other = write_experiment(tmp_path / "other.yaml", store, "Watershed", sigma=2.5)
    assert main(["compare", str(same), str(other), "--out", str(tmp_path / "o")]) == 0
    hashes = [result["config_hash"] for result in results(run)[:1]]
    moved, changed = json.loads((tmp_path / "o" / "results.json").read_text())["results"]
    assert moved["config_hash"] == hashes[0] != changed["config_hash"]
    assert moved["metrics"]["auc"] == results(run)[0]["metrics"]["auc"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, "missing.yaml: no such file"),
        ("model: [", "bad.yaml: Problems parsing config"),
        ("nonsense: 3\n", "'nonsense' is not "),
        ("model:\n  class_path: zoo.methods.Nothing\n", "has no attribute 'Nothing'"),
        ("model:\n  class_path: zoo.methods.Watershed\n  init_args: {sigmaa: 3}\n", "sigmaa"),
        ("data:\n  files: [nowhere.h5]\n", "nowhere.h5: no such file"),
        ("protocol: null\n", "no protocol"),
    ],
)
def test_wrong_experiments_exit_2_without_traceback(run, tmp_path, capsys, change, message):
    path = tmp_path / ("missing.yaml" if change is None else "bad.yaml")
    if change is not None:
        good = (run / "a.yaml").read_text()
        key = change.partition(":")[0]
        kept = re.sub(rf"^{key}:(?: .*)?\n(?:[ -].*\n)*", "", good, flags=re.MULTILINE)
        path.write_text(kept + change)
    assert main(["compare", str(run / "a.yaml"), str(path), "--out", str(tmp_path / "o")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--limit", "0"], "at least one image"),
        (["--limit", "1", "--save-results"], "leave out --limit"),
    ],
)
def test_wrong_options(run, tmp_path, capsys, options, message):
    assert main(["compare", str(run / "a.yaml"), "--out", str(tmp_path / "o"), *options]) == 2
    assert message in capsys.readouterr().err


def test_the_same_name_twice(run, tmp_path, capsys):
    assert main(["compare", str(run / "a.yaml"), str(run / "a.yaml"), "--out", str(tmp_path / "o")]) == 2
    assert "given twice" in capsys.readouterr().err


def test_out_that_can_not_be_made_is_told_before_the_work(run, tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("mine")
    monkeypatch.setattr("zoo.comparison.experiment.evaluate", lambda *_: pytest.fail("it was evaluated"))
    assert main(["compare", str(run / "a.yaml"), "--out", str(tmp_path / "file" / "o")]) == 2
    assert "file/o: can't be written (Not a directory); choose another folder" in capsys.readouterr().err


def test_out_is_a_file(run, tmp_path, capsys):
    (tmp_path / "o").write_text("mine")
    assert main(["compare", str(run / "a.yaml"), "--out", str(tmp_path / "o")]) == 2
    assert "is a file" in capsys.readouterr().err
    assert (tmp_path / "o").read_text() == "mine"


EMBEDDED = ["experiments/tables/dsb2018.yaml", "experiments/tables/dsb2018-oneshot.yaml"]


def test_embedded_experiments_on_two_images(tmp_path, monkeypatch):
    """The comparison that `make compare` shows, on two of its images."""
    monkeypatch.chdir(ROOT)
    assert main(["compare", *EMBEDDED, "--out", str(tmp_path / "out"), "--limit", "2"]) == 0
    found = results(tmp_path)
    methods = ("nuclei", "nuclick", "anything", "watershed", "region-growing")
    names = [f"{table}/{method}" for table in ("dsb2018", "dsb2018-oneshot") for method in methods]
    assert [result["experiment"] for result in found] == names
    assert sorted(path.stem for path in (tmp_path / "out/traces/dsb2018").iterdir()) == sorted(methods)
    for result in found:
        assert (result["data"]["images"], result["data"]["licence"]) == (2, "CC0 1.0")
        score = "aji" if result["protocol"] == "one-shot" else "auc"
        assert 0.3 < result["metrics"][score] < 1, result["experiment"]
    assert (tmp_path / "out" / "report.html").stat().st_size > 100_000


def test_a_table_stands_for_its_rows(run, tmp_path):
    """With the numbers of the same experiments in files of their own; results beside the folder `tables`."""
    path = tmp_path / "tables" / "t.yaml"
    path.parent.mkdir()
    content = yaml.safe_load((run / "a.yaml").read_text())
    (tmp_path / "b.yaml").write_text(yaml.safe_dump({"model": yaml.safe_load((run / "b.yaml").read_text())["model"]}))
    second = {"base": "../b.yaml", "title": "Growing"}
    path.write_text(yaml.safe_dump(content | {"rows": {"one": {}, "two": second}}, sort_keys=False))
    out = tmp_path / "out"
    assert main(["compare", str(path), "--out", str(out), "--save-results"]) == 0
    one, two = results(tmp_path)
    for found, expected in (one, results(run)[0]), (two, results(run)[1]):
        assert found["metrics"]["auc"] == expected["metrics"]["auc"]
        assert found["config_hash"] == expected["config_hash"]
    assert (one["experiment"], two["experiment"], two["title"]) == ("t/one", "t/two", "Growing")
    assert two["command"] == f"zoo compare {path}::two --out {out}"
    assert {str(p.relative_to(out)) for p in out.rglob("*.jsonl")} == {"traces/t/one.jsonl", "traces/t/two.jsonl"}
    saved = {str(p.relative_to(tmp_path / "results")) for p in (tmp_path / "results").rglob("*.json")}
    assert saved == {"t/one.json", "t/two.json", "t/differences/one.json"}
    assert main(["leaderboard", "--results", str(tmp_path / "results"), "--out", str(tmp_path / "board.md")]) == 0
    board = (tmp_path / "board.md").read_text()
    assert "| [Growing](tables/t.yaml) `two` | " in board
    assert "\nDifferences to Watershed <many>. " in board

    assert main(["compare", f"{path}::two", "--out", str(tmp_path / "one-row")]) == 0
    content = json.loads((tmp_path / "one-row" / "results.json").read_text())
    assert [result["experiment"] for result in content["results"]] == ["t/two"]


def test_no_such_row(run, tmp_path, capsys):
    path = tmp_path / "t.yaml"
    path.write_text((run / "a.yaml").read_text() + "rows: {one: {}, two: {}}\n")
    assert main(["compare", f"{path}::three", "--out", str(tmp_path / "o")]) == 2
    assert "no row 'three'; its rows are one, two" in capsys.readouterr().err
    assert main(["compare", str(path), f"{path}::two", "--out", str(tmp_path / "o")]) == 2
    assert "t/two: given twice" in capsys.readouterr().err
    for verb in "fit", "test":
        assert main([verb, "-c", str(path)]) == 2
        assert f"name one of its rows (one, two), such as {path}::one" in capsys.readouterr().err


@pytest.mark.ddp
def test_two_processes_give_the_same_numbers(run, tmp_path):
    """Eight objects in batches of three, and two images: the samplers of two processes pad some of them."""
    paths = []
    for name in "a", "c":
        content = yaml.safe_load((run / f"{name}.yaml").read_text())
        content["trainer"] |= {"devices": 2, "strategy": "ddp"}
        paths.append(tmp_path / f"{name}.yaml")
        paths[-1].write_text(yaml.safe_dump(content))
    command = [sys.executable, "-m", "zoo", "compare", *map(str, paths), "--out", str(tmp_path / "out")]
    environment = {k: v for k, v in os.environ.items() if k not in ("LOCAL_RANK", "WORLD_SIZE", "NODE_RANK")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    for found, expected in zip(results(tmp_path), [results(run)[0], results(run)[2]], strict=True):
        for name in expected["metrics"].keys() - {"spi", "seconds"}:
            assert found["metrics"][name] == pytest.approx(expected["metrics"][name], abs=1e-12), name
        assert found["data"] == expected["data"]
    lines = (tmp_path / "out" / "traces" / "a.jsonl").read_text().splitlines()
    assert [json.loads(line)["sample"] for line in lines] == list(range(8))


def test_a_trace_leads_back_to_the_image(run):
    """Window corner plus click is a pixel of the object in the whole image."""
    store = Store(run / "blobs.h5")
    for line in (run / "out" / "traces" / "a.jsonl").read_text().splitlines():
        trace = json.loads(line)
        place, (x, y, *_) = trace["from"], trace["clicks"][0][0]
        label = store.label(place["group"], place["item"])
        assert label[int(y) + place["y0"], int(x) + place["x0"]] == place["object"]


@given(st.lists(st.text("ab ", min_size=1, max_size=30), min_size=1, max_size=12), st.integers(20, 120))
def test_tables_of_many_methods_break_no_word(titles, width):
    tables = side_by_side(titles, width)
    assert [i for table in tables for i in table] == list(range(len(titles)))
    needed = [max(6, *(len(word) for word in title.split() or [""])) + 3 for title in titles]
    for table, following in zip(tables, [*tables[1:], None], strict=True):
        used = sum(needed[i] for i in table)
        assert used <= width or len(table) == 1
        assert following is None or used + needed[following[0]] > width


def test_settings_of_all_experiments_may_be_changed(capsys):
    given = ["a.yaml", "--out", "b", "--set", "protocol.init_args.max_interactions=5", "--trainer.devices=2"]
    options = parsed(given)
    assert options.overrides == ["--trainer.devices=2", "--protocol.init_args.max_interactions=5"]
    command = command_of(Address.parse("a.yaml"), options)
    assert command.endswith("--out b --trainer.devices=2 --protocol.init_args.max_interactions=5")
    assert parsed(command.split()[2:]).overrides == options.overrides
    with pytest.raises(SystemExit):
        parsed([*given, "--trainers.devices=2"])
    assert "--set KEY=VALUE" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="write --set KEY=VALUE"):
        parsed([*given, "--set", "protocol"])


def explored(page: str) -> list[dict]:
    """What the report's script draws from."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_the_charts_are_drawn_from_the_traces(run):
    """Every session of both methods, its clicks and its last mask, which has the IoU of the trace."""
    interactive, oneshot = explored((run / "out" / "report.html").read_text())
    assert interactive["rows"] == ["Watershed <many>", "RegionGrowing <many>"]
    assert (len(interactive["samples"]), interactive["whole"], len(interactive["pictures"])) == (8, 8, 8)
    assert len({sample["image"] for sample in interactive["samples"]}) == 2
    for row, name in enumerate("ab"):
        traces = [json.loads(line) for line in (run / "out" / "traces" / f"{name}.jsonl").read_text().splitlines()]
        for number, trace in enumerate(traces):
            ious = interactive["ious"][row][number]
            assert ious[1 : 1 + len(trace["ious"])] == [round(1000 * iou) for iou in trace["ious"]]
            clicks = interactive["pictures"][str(number)]["clicks"][row]
            assert [click[:2] for click in clicks] == [[round(v, 1) for v in click[:2]] for click in trace["clicks"][0]]
            found, target = (filled(path) for path in paths_of(interactive["pictures"][str(number)], row))
            assert (found & target).sum() / (found | target).sum() == pytest.approx(trace["ious"][-1], abs=1e-9)
    keys = [metric["key"] for metric in interactive["metrics"]]
    assert keys[0] == "auc"
    assert np.mean(interactive["scores"][1][0]) == pytest.approx(results(run)[1]["metrics"]["auc"], abs=1e-4)
    assert "ious" not in oneshot
    assert oneshot["said"] == [[4, 4], [4, 4]]
    assert [metric["key"] for metric in oneshot["metrics"]] == ["aji"]


def test_a_report_has_a_size_that_it_keeps(run, tmp_path, monkeypatch):
    """Pictures that have no room are left out, the worst cases last; numbers stay."""
    monkeypatch.setattr("zoo.comparison.report.MOST", 95_000)
    assert main(["compare", str(run / "a.yaml"), str(run / "b.yaml"), "--out", str(tmp_path / "o")]) == 0
    page = (tmp_path / "o" / "report.html").read_text()
    assert len(page) < 95_000
    (section,) = explored(page)
    assert "3 more of 3 have no room here: see overlays-interactive.jpg" in page
    assert 0 < len(section["pictures"]) < 8
    assert [len(row) for row in section["ious"]] == [8, 8]
    worst = min(range(8), key=lambda sample: section["scores"][0][0][sample])
    assert str(worst) in section["pictures"]


def paths_of(picture: dict, row: int) -> tuple[str, str]:
    return picture["found"][row], picture["target"]


def filled(path: str) -> np.ndarray:
    """The pixels (64, 64) within an SVG path of whole pixels, by their middles."""
    edges = []
    for ring in path.split("z")[:-1]:
        x, y = start = tuple(map(int, re.match(r"M(\d+) (\d+)", ring).groups()))
        corners = [start]
        for kind, step in re.findall(r"([hv])(-?\d+)", ring):
            x, y = (x + int(step), y) if kind == "h" else (x, y + int(step))
            corners.append((x, y))
        edges += list(zip(corners, [*corners[1:], start], strict=True))
    inside = np.zeros((64, 64), bool)
    for (x0, y0), (x1, y1) in edges:
        if x0 == x1:  # right of an upright edge, in and out change
            inside[min(y0, y1) : max(y0, y1), x0:] ^= True
    return inside


CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
EVIL = '</script><script>document.title="broken into"</script><img src=x onerror=alert(1)> & "x"'


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_a_browser_draws_the_report_and_runs_no_text_of_an_experiment(run, tmp_path):
    path = tmp_path / "evil.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load((run / "a.yaml").read_text()) | {"title": EVIL}))
    assert main(["compare", str(path), str(run / "b.yaml"), "--out", str(tmp_path / "o")]) == 0
    page = (tmp_path / "o" / "report.html").read_text()
    assert "<img src=x" not in page
    assert page.count("<script") == page.count("</script>") == 2
    look = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000", "--dump-dom"]
    address = (tmp_path / "o" / "report.html").as_uri()
    dom = subprocess.run([*look, address], capture_output=True, text=True, timeout=200, check=True).stdout
    assert "<title>Comparison of methods</title>" in dom
    assert dom.count('class="plot"') == 3  # course, time, sample by sample
    assert dom.count("<circle") == 2 * 4 + 2 * 4 + 8
    assert dom.count('class="picture"') == 8  # the worst cases
    assert "8 of 8 samples" in dom
    assert 'type="checkbox"' in dom


def test_a_limit_in_the_file_is_in_the_result(run, tmp_path):
    content = yaml.safe_load((run / "c.yaml").read_text())
    content["data"]["test_limit"] = 1
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(content))
    assert main(["compare", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "out")]) == 0
    (result,) = results(tmp_path)
    assert (result["data"]["limit"], result["data"]["images"]) == (1, 1)

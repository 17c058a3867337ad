"""A table of two magnifications from the command line: numbers, intervals, traces and pictures."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.helpers.regions import write_regions
from zoo.cli import main
from zoo.comparison.leaderboard import leaderboard
from zoo.data import PairedImages, Selection
from zoo.data.batch import collate
from zoo.errors import CheckpointError, ConfigError, NotTrainableError
from zoo.evaluation import ZoomSimulation
from zoo.hub.folder import build, save_folder
from zoo.inference.children import ParentSession
from zoo.interactions import Box, Click
from zoo.methods import TwoScales
from zoo.store.reader import Store

ROWS: dict[str, dict[str, Any]] = {
    "l2": {"low": "tiny"},
    "l2-l1": {"low": "tiny", "high": "tiny"},
    "l1": {"high": "tiny"},
    "no-l2h": {"low": "tiny", "high": "tiny", "down": False},
}
PROTOCOL = {"d_min": 4.0, "d_thr": 60.0, "q_thr": 0.05, "q_max": 0.97, "max_clicks": 3, "patch": 40, "reference": None}


def tiny_ritm(folder: Path, patients: tuple[str, ...] = ()) -> Path:
    """The checkpoint folder of an untrained RITM that takes dark pixels, those near positive clicks above all."""
    network = {"class_path": "tests.helpers.regions.TinyNet", "init_args": {"in_channels": 6}}
    config: dict[str, Any] = {"class_path": "zoo.methods.RITM", "init_args": {"network": network}}
    torch.manual_seed(0)
    state = build(config).state_dict()
    weights = state["network.body.0.weight"]
    weights.zero_()
    weights[0, :3], weights[1, 3], weights[2, 4] = -1 / 9, 1.0, 1.0
    state["network.body.0.bias"].copy_(torch.tensor([2.0, 0.0, 0.0, 0.0]))
    state["network.out.weight"].zero_()
    state["network.out.weight"][0, :, 1, 1] = torch.tensor([6.0, 0.4, -0.4, 0.0])
    state["network.out.bias"].fill_(-2.0)
    if patients:
        config["patients"] = [f"Regions: {patient}" for patient in patients]
    save_folder(folder, config, state, "# tiny\n", bits=32)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zoom")
    write_regions(folder / "r.h5", {"a": "test", "b": "test", "c": "test"})
    checkpoint = str(tiny_ritm(folder / "tiny"))
    content = {
        "trainer": {"accelerator": "cpu"},
        "protocol": {
            "class_path": "zoo.evaluation.ZoomSimulation",
            "init_args": PROTOCOL | {"samples": {"class_path": "zoo.data.PairedImages", "init_args": {"factor": 3}}},
        },
        "data": {"files": [str(folder / "r.h5")]},
        "model": {"class_path": "zoo.methods.TwoScales"},
        "rows": {
            name: {
                "title": name,
                "model": {"init_args": {k: checkpoint if v == "tiny" else v for k, v in arguments.items()}},
            }
            for name, arguments in ROWS.items()
        },
    }
    (folder / "tables").mkdir()
    (folder / "tables" / "zoom.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    command = ["compare", str(folder / "tables" / "zoom.yaml"), "--out", str(folder / "out"), "--save-results"]
    assert main(command) == 0
    return folder


def results(folder: Path) -> dict[str, dict[str, Any]]:
    content = json.loads((folder / "out" / "results.json").read_text())
    return {result["experiment"].partition("/")[2]: result for result in content["results"]}


def traces(folder: Path, row: str) -> list[dict[str, Any]]:
    text = (folder / "out" / "traces" / "zoom" / f"{row}.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_numbers_are_those_of_the_traces_with_intervals(run):
    assert list(results(run)) == list(ROWS)
    for row, result in results(run).items():
        metrics, lines = result["metrics"], traces(run, row)
        assert len(lines) == metrics["images"] == 3
        clicks = [len(line["ious"]) for line in lines]
        assert metrics["tnoc"] == sum(clicks) == sum(len(line["clicks"][0]) for line in lines)
        assert metrics["noc"] == pytest.approx(sum(clicks) / 3)
        assert metrics["noc_low"] + metrics["noc_high"] == pytest.approx(metrics["noc"])
        assert metrics["tnoc_from"] <= metrics["tnoc"] <= metrics["tnoc_to"]
        assert metrics["iou_from"] <= metrics["iou"] <= metrics["iou_to"]
        assert metrics["iou"] == pytest.approx(sum(line["ious"][-1] for line in lines) / 3)
        assert metrics["zooms"] == pytest.approx(sum(len(line["zooms"]) for line in lines) / 3)
    zooms = {row: [look["why"] for line in traces(run, row) for look in line["zooms"]] for row in ROWS}
    assert zooms["l2"] == []
    assert zooms["l1"] == ["tile"] * (2 * 3 * 3)
    assert "detail" in zooms["l2-l1"]


def test_results_say_what_decides_them(run):
    found = results(run)
    first = found["l2"]
    assert all(result["settings"] == first["settings"] for result in found.values())
    assert first["settings"]["distances"] == "as they are"
    assert (first["settings"]["samples"], first["settings"]["patch"]) == ("pairs", 40)
    assert set(found["l2-l1"]["checkpoint"]) == {"low", "high"}
    assert first["speed"]["count"] > 0
    differences = json.loads((run / "out" / "results.json").read_text())["differences"][0]["rows"]
    assert {row["score"] for row in differences} == {"iou", "noc"}


def test_tables_show_intervals_and_pictures_lie_in_the_folder(run):
    page = re.sub("</?small>", "", (run / "out" / "report.html").read_text())
    for row in results(run).values():
        metrics = row["metrics"]
        assert f"{metrics['iou']:.3f} [{metrics['iou_from']:.3f}, {metrics['iou_to']:.3f}]" in page
    names = {path.name for path in (run / "out").iterdir()}
    assert {"errors-zoom.jpg", "probability-zoom.jpg", "overlays-zoom.jpg", "curves-zoom.png"} <= names
    assert "Errors at the high magnification" in page
    text = leaderboard(run / "results", run / "leaderboard.md")
    assert "tNoC" in text
    assert "Differences to l2" in text


def test_methods_of_the_table_as_sessions(run):
    """The same engines in a session of one's own begin with the same mask and click."""
    method = TwoScales(str(run / "tiny"), str(run / "tiny"))
    scales = method.engine().scales
    pair = collate([PairedImages(Selection([Store(run / "r.h5")], "test"), factor=3)[0]])
    (found,) = ZoomSimulation(**PROTOCOL).run(method.engine(), pair)
    session = ParentSession(scales.low, scales.high)
    session.set_images(pair.low.image, pair.image, pair.frame)
    x, y, label = found.said[0]
    mask = session.add(Click(x / 3, y / 3, positive=label == 1))
    both, either = (mask & pair.low.truth.target), (mask | pair.low.truth.target)
    known = ~pair.low.truth.ignore
    assert found.low_ious[0] == pytest.approx(int((both & known).sum()) / int((either & known).sum()))
    child = session.zoom(Box(2, 3, 14, 20))
    assert child.mask.shape == (1, 1, 17 * 3, 12 * 3)
    assert child.box == Box(2, 3, 14, 20)


def test_what_is_wrong_is_named(tmp_path, capsys):
    with pytest.raises(ConfigError, match="`low`, `high`"):
        TwoScales()
    with pytest.raises(CheckpointError):
        TwoScales("nothing-of-this-name")
    seen = tiny_ritm(tmp_path / "seen", patients=("a",))
    method = TwoScales(high=str(seen))
    assert method.patients == {"Regions: a"}
    with pytest.raises(NotTrainableError):
        method.configure_optimizers()
    write_regions(tmp_path / "r.h5", {"a": "test", "b": "test"})
    content = {
        "trainer": {"accelerator": "cpu"},
        "protocol": {
            "class_path": "zoo.evaluation.ZoomSimulation",
            "init_args": {"samples": {"class_path": "zoo.data.PairedImages", "init_args": {"factor": 3}}},
        },
        "data": {"files": [str(tmp_path / "r.h5")]},
        "model": {"class_path": "zoo.methods.TwoScales", "init_args": {"low": str(seen)}},
    }
    (tmp_path / "e.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    assert main(["compare", str(tmp_path / "e.yaml"), "--out", str(tmp_path / "out")]) == 2
    assert "Regions: a" in capsys.readouterr().err

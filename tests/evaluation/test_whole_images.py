"""Objects in whole images of two sizes by two methods and two users, from the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.helpers.blobs import blob_image
from zoo.cli import main
from zoo.comparison.result import Speed
from zoo.store.writer import StoreWriter

ROOT = Path(__file__).parents[2]
USERS = {
    "middle": {"class_path": "zoo.users.NextClick"},
    "jitter": {
        "class_path": "zoo.users.Jitter",
        "init_args": {"user": {"class_path": "zoo.users.NextClick"}, "sigma": 4.0},
    },
}
METHODS = ("Watershed", "RegionGrowing")
# Four objects in each whole image, two in the lower half of another.
SIZES = {"s0": (96, 96), "s1": (48, 96), "s2": (96, 96)}


def write(folder: Path, method: str, user: str, **trainer: object) -> Path:
    """An experiment YAML of three turns, in batches of at most three objects."""
    samples = "zoo.data.ObjectsInImages"
    arguments = {"max_interactions": 3, "samples": samples, "user": USERS[user], "targets": [0.5, 0.8]}
    content = {
        "title": method,
        "trainer": {"accelerator": "cpu"} | trainer,
        "protocol": {"class_path": "zoo.evaluation.Interactive", "init_args": arguments},
        "model": {"class_path": f"zoo.methods.{method}"},
        "data": {"files": [str(folder / "blobs.h5")], "batch_size": 3},
    }
    path = folder / f"{method}-{user}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four experiments, compared."""
    folder = tmp_path_factory.mktemp("whole")
    about = {"dataset": "Blobs", "licence": "CC0 1.0", "citation": "Nobody 2020", "source_checksum": "0" * 64}
    with StoreWriter(folder / "blobs.h5", **about) as writer:
        for number, (name, (height, width)) in enumerate(SIZES.items()):
            image, label = (pixels[-height:, :width] for pixels in blob_image(number))
            writer.add_group(name, image[None], label[None], slide=name, patient=name, split="test")
    paths = [write(folder, method, user) for method in METHODS for user in USERS]
    assert main(["compare", *map(str, paths), "--out", str(folder / "out")]) == 0
    return folder


def traces(folder: Path, name: str) -> list[dict]:
    return [json.loads(line) for line in (folder / "out" / "traces" / f"{name}.jsonl").read_text().splitlines()]


def results(folder: Path) -> dict[str, dict]:
    content = json.loads((folder / "out" / "results.json").read_text())
    return {result["experiment"]: result for result in content["results"]}


def test_every_object_is_a_session_on_its_image(run):
    for name, result in results(run).items():
        lines = traces(run, name)
        assert [line["sample"] for line in lines] == list(range(4 + 2 + 4))
        assert [line["from"]["object"] for line in lines] == [10, 20, 30, 40, 30, 40, 10, 20, 30, 40]
        assert {line["image"] for line in lines} == {0, 1, 2}
        clicks = np.array([line["clicks"][0][0] for line in lines])
        assert (clicks[:, 2] == 1).all()
        assert (clicks[:, :2].max(0) > 60).all()  # in image pixels
        assert (result["data"]["images"], result["data"]["objects"]) == (3, 10)
        assert result["settings"]["samples"] == "objects_in_images"
        assert "x0" not in lines[0]["from"]


def test_means_over_objects_and_over_images(run):
    for name, result in results(run).items():
        lines = traces(run, name)
        clicks = [next((k for k, v in enumerate(line["ious"], 1) if v >= 0.8), 3) for line in lines]
        assert result["metrics"]["noc@80"] == pytest.approx(np.mean(clicks))
        images = [np.mean(clicks[:4]), np.mean(clicks[4:6]), np.mean(clicks[6:])]
        assert result["metrics"]["noc@80_per_image"] == pytest.approx(np.mean(images))


def test_the_speed_says_on_what_and_counts_all(run):
    for result in results(run).values():
        speed = Speed(**result["speed"])
        assert speed.size == "96x96, 96x48"
        assert 0 < speed.model <= speed.end_to_end < speed.evaluation


def test_users_stand_side_by_side(run):
    page = (run / "out" / "report.html").read_text()
    one, other, together = page.split("<section")[1:]
    assert "user: NextClick" in one
    assert "user: Jitter" in other
    for part in one, other:
        assert part.count("<td class=best") > 0
        assert "several users" not in part
    table = together.partition("</table>")[0]
    assert "Protocol: interactive with several users" in table
    assert "user:" not in table
    assert "class=best" not in table
    rows = [row.partition("</td>")[0] for row in table.split("<tr><td>")[1:]]
    assert [row.split(", ")[0] for row in rows] == ["Watershed", "Watershed", "RegionGrowing", "RegionGrowing"]
    assert ["Jitter" in row for row in rows] == [False, True, False, True]
    for result in results(run).values():
        assert f">{result['metrics']['auc']:.3f}</td>" in table
    assert together.partition("<dialog")[0].count("<img ") == 2
    drawn = {path.name for path in (run / "out").glob("*.png")}
    assert {f"{kind}{which}.png" for kind in ("curves", "success") for which in ("", "-interactive-users")} < drawn
    content = json.loads((run / "out" / "results.json").read_text())
    assert len(content["differences"]) == 2


@pytest.mark.ddp
def test_two_processes_leave_the_same_traces(run, tmp_path):
    (tmp_path / "blobs.h5").symlink_to(run / "blobs.h5")
    path = write(tmp_path, "Watershed", "jitter", devices=2, strategy="ddp")
    command = [sys.executable, "-m", "zoo", "compare", str(path), "--out", str(tmp_path / "out")]
    environment = {k: v for k, v in os.environ.items() if k not in ("LOCAL_RANK", "WORLD_SIZE", "NODE_RANK")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    found, expected = traces(tmp_path, path.stem), traces(run, path.stem)
    for line in (*found, *expected):
        line.pop("seconds")
    assert found == expected
    found, expected = (results(folder)[path.stem]["metrics"] for folder in (tmp_path, run))
    for name in expected.keys() - {"spi", "seconds"}:
        assert found[name] == pytest.approx(expected[name], abs=1e-12), name

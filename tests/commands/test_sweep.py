"""A grid of rows: which runs there are, what comes of them, and that a killed sweep goes on where it was."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tests.helpers.blobs import write_experiment, write_store
from tests.helpers.tiny import tiny_experiment
from zoo.cli import main
from zoo.comparison.sweep.gather import gathered, over_seeds
from zoo.comparison.sweep.member import carry_out
from zoo.comparison.sweep.plan import Options, plan
from zoo.comparison.sweep.settings import Varied, find, text
from zoo.comparison.sweep.wandb_file import sweep_file
from zoo.config.compose import Address
from zoo.files import write_text

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    write_experiment(folder / "a.yaml", write_store(folder / "blobs.h5"), "Watershed", oneshot=True)
    return folder


@pytest.fixture(scope="module")
def swept(blobs: Path) -> Path:
    """A sweep of two settings; of three, one with a single value, which no name has to tell."""
    given = ["--set", "sigma=1,6", "--set", "seed_radius=2,6", "--set", "max_radius=32"]
    assert main(["sweep", str(blobs / "a.yaml"), *given, "--out", str(blobs / "out"), "--workers", "2"]) == 0
    return blobs / "out"


def content(out: Path) -> dict:
    return json.loads((out / "results.json").read_text())


def test_every_combination_is_evaluated_on_the_validation_split(swept, blobs, tmp_path):
    rows = content(swept)["results"]
    assert {row["experiment"] for row in rows} == {f"a+sigma={s}+seed_radius={r}" for s in (1, 6) for r in (2, 6)}
    assert {row["data"]["split"] for row in rows} == {"val"}
    assert [row["metrics"]["aji"] for row in rows] == sorted((row["metrics"]["aji"] for row in rows), reverse=True)
    assert rows[0]["metrics"]["aji"] > rows[-1]["metrics"]["aji"]
    (row,) = [row for row in rows if row["experiment"] == "a+sigma=1+seed_radius=6"]
    given = ["model.init_args.sigma=1", "model.init_args.seed_radius=6", "model.init_args.max_radius=32"]
    given += ["data.test_split=val"]
    sets = [each for value in given for each in ("--set", value)]
    assert main(["compare", str(blobs / "a.yaml"), *sets, "--out", str(tmp_path / "o")]) == 0
    (compared,) = content(tmp_path / "o")["results"]
    assert row["metrics"]["aji"] == compared["metrics"]["aji"]
    assert (row["config_hash"], row["data"]["checksum"]) == (compared["config_hash"], compared["data"]["checksum"])


def test_the_report_holds_all_rows_and_the_best_is_the_first(swept):
    page = (swept / "report.html").read_text()
    best = content(swept)["results"][0]
    assert f"Differences to {best['title'].replace('<', '&lt;').replace('>', '&gt;')}" in page
    assert best["title"].startswith("Watershed <one>, sigma ")


def test_finished_runs_are_not_repeated(swept, blobs, capsys):
    files = {path: path.stat().st_mtime_ns for path in swept.glob("runs/**/result.json")}
    assert len(files) == 4
    next(iter(files)).unlink()
    given = ["--set", "sigma=1,6", "--set", "seed_radius=2,6", "--set", "max_radius=32"]
    assert main(["sweep", str(blobs / "a.yaml"), *given, "--out", str(swept), "--json"]) == 0
    out, err = capsys.readouterr()
    assert "4 runs on the val split: 3 are finished, 0 go on, 1 begin" in err
    assert len(json.loads(out)) == 4
    again = {path: path.stat().st_mtime_ns for path in files}
    assert sum(again[path] != files[path] for path in files) == 1


def test_another_experiment_of_the_name_is_refused(swept, blobs, capsys):
    given = ["--set", "sigma=1,6", "--set", "seed_radius=2,6", "--set", "max_radius=16"]
    assert main(["sweep", str(blobs / "a.yaml"), *given, "--out", str(swept)]) == 2
    assert "holds a run of another experiment of this name" in capsys.readouterr().err


def test_a_run_that_fails_stops_no_other(blobs, tmp_path, capsys):
    given = ["--set", f"data.files=[{blobs / 'blobs.h5'}],[nowhere.h5]", "--out", str(tmp_path / "out")]
    code = main(["sweep", str(blobs / "a.yaml"), *given])
    said = " ".join(capsys.readouterr().out.split())
    rows = content(tmp_path / "out")
    assert (code, len(rows["results"]), len(rows["failed"])) == (1, 1, 1)
    assert "nowhere.h5: no such file" in said
    assert "log.txt" in said


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--set", "sigmaa=1,2"], "did you mean sigma?"),
        (["--set", "nothing=1,2"], "there is compactness, foreground, max_radius, seed_radius, sigma, stain, "),
        (["--set", "data.nothing=1"], "there is data.augment, data.batch_size, "),
        (["--set", "sigma.x=1"], "sigma has no settings of its own"),
        (["--set", "stain=blue"], "stain=blue: model.stain: "),
        (["--set", "sigma=1,1"], "a value is given twice"),
        (["--set", "sigma"], "write --set NAME=VALUE"),
        (["--set", "sigma=1", "--set", "sigma=2"], "sigma: given twice"),
        (["--seeds", "0"], "--seeds 0: at least 1"),
    ],
)
def test_wrong_settings_are_told_before_anything_runs(blobs, tmp_path, capsys, given, message):
    assert main(["sweep", str(blobs / "a.yaml"), *given, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("others", "message"), [(["b.yaml"], "no such setting"), (["a.yaml"], "given twice")])
def test_what_is_refused_leaves_nothing_behind(blobs, tmp_path, capsys, others, message):
    """Nor of an experiment that comes before the one that is refused."""
    write_experiment(blobs / "b.yaml", blobs / "blobs.h5", "RegionGrowing", oneshot=True)
    given = [str(blobs / name) for name in ("a.yaml", *others)]
    assert main(["sweep", *given, "--set", "compactness=0,1", "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_where_a_folder_is_refused_no_other_is_written(blobs, tmp_path, capsys):
    one = ["sweep", str(blobs / "a.yaml"), "--out", str(tmp_path / "out")]
    write_text(tmp_path / "out/runs/a+sigma=2/seed-0/experiment.json", "{}")
    assert main([*one, "--set", "sigma=1,2"]) == 2
    assert "holds a run of another experiment" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out/runs").iterdir()] == ["a+sigma=2"]


def test_help_says_that_test_images_choose_nothing(capsys):
    with pytest.raises(SystemExit):
        main(["sweep", "--help"])
    assert "VALIDATION split" in capsys.readouterr().out


def test_values_and_names():
    parsed = Varied.parse("encoder=zoo.encoders.Disks,[1,2],{a: 1, b: 2},null,1e-3,'x,y'")
    assert parsed.values == ("zoo.encoders.Disks", [1, 2], {"a": 1, "b": 2}, None, 0.001, "x,y")
    assert [text(value) for value in parsed.values[:4]] == ["Disks", "[1, 2]", "{'a': 1, 'b': 2}", "null"]
    known = [("model",), ("model", "init_args", "encoder"), ("model", "init_args", "encoder", "init_args", "radius")]
    for name in ("encoder.radius", "model.encoder.radius", "model.init_args.encoder.init_args.radius"):
        assert find(name, known, "x") == known[2]


def test_a_class_brings_settings_of_its_own(tmp_path):
    path = tiny_experiment(tmp_path)
    settings = [Varied.parse("encoder=zoo.encoders.Disks"), Varied.parse("encoder.radius=3,5")]
    runs = plan([Address(path)], Options(settings, seeds=2), tmp_path / "out")
    assert [run.row for run in runs] == ["experiment+encoder.radius=3"] * 2 + ["experiment+encoder.radius=5"] * 2
    written = [json.loads((run.folder / "experiment.json").read_text()) for run in runs]
    encoders = [each["model"]["init_args"]["encoder"] for each in written]
    assert encoders[2] == {"class_path": "zoo.encoders.Disks", "init_args": {"radius": 5}}
    assert [(each["seed_everything"], each["data"].get("seed", 0)) for each in written[:2]] == [(0, 0), (1, 1)]
    for run, each in zip(runs, written, strict=True):
        assert each["trainer"]["default_root_dir"] == str(run.folder)
        assert each["trainer"]["logger"]["init_args"]["save_dir"] == str(run.folder)
        assert all("dirpath" not in callback["init_args"] for callback in each["trainer"]["callbacks"])


def test_the_interval_over_seeds_is_students():
    low, high = over_seeds([0.5, 0.6, 0.7])
    assert (low, high) == pytest.approx((0.6 - 4.302653 * 0.1 / 3**0.5, 0.6 + 4.302653 * 0.1 / 3**0.5), abs=1e-6)


def slow_experiment(folder: Path) -> Path:
    """A training of 40 steps that writes its last checkpoint each second one, and takes its time."""
    path = tiny_experiment(folder, max_steps=40)
    text = yaml.safe_load(path.read_text())
    text["trainer"]["callbacks"] = [
        {"class_path": "zoo.callbacks.LastCheckpoint", "init_args": {"every": 2}},
        {"class_path": "slowly.Slowly"},
    ]
    path.write_text(yaml.safe_dump(text))
    (folder / "slowly.py").write_text(
        "import time\nfrom lightning.pytorch.callbacks import Callback\n\n\nclass Slowly(Callback):\n"
        "    def on_train_batch_start(self, trainer, module, batch, number):\n"
        "        time.sleep(0.1)\n"
        "        with open('steps.txt', 'a') as steps:\n"
        "            print(trainer.default_root_dir, trainer.global_step, file=steps)\n"
    )
    return path


@pytest.mark.timeout(900)
def test_a_killed_sweep_goes_on_where_it_was(tmp_path):
    """Killed in the middle of a training: its process ends too, the same command goes on from the last checkpoint."""
    path = slow_experiment(tmp_path)
    command = [sys.executable, "-m", "zoo", "sweep", path.name, "--out", "out", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    last = tmp_path / "out/runs/experiment/seed-0/checkpoints/last.ckpt"
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL) as sweep:
        until = time.monotonic() + 400
        while not last.is_file() and time.monotonic() < until:
            time.sleep(0.05)
        assert last.is_file()
        sweep.send_signal(signal.SIGKILL)
    time.sleep(1.5)
    before = (tmp_path / "steps.txt").read_text().splitlines()
    time.sleep(0.5)
    assert (tmp_path / "steps.txt").read_text().splitlines() == before  # nothing goes on unseen
    assert 2 <= len(before) < 40
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "1 runs on the val split: 0 are finished, 1 go on, 0 begin" in done.stderr
    steps = [int(line.split()[1]) for line in (tmp_path / "steps.txt").read_text().splitlines()[len(before) :]]
    assert steps[0] >= 2
    assert steps == list(range(steps[0], 40))
    (row,) = json.loads(done.stdout)
    assert row["checkpoint"]["weights"]["name"] == "last.ckpt"


def test_seeds_are_other_trainings_and_the_row_is_their_mean(tmp_path):
    path = tiny_experiment(tmp_path)
    runs = plan([Address(path)], Options(seeds=2), tmp_path / "out")
    for run in runs:
        assert carry_out(run.folder) == 0
        assert run.finished
    (row,) = gathered(runs)
    scores = [json.loads((run.folder / "result.json").read_text())["metrics"]["aji"] for run in runs]
    found = row.result.metrics
    assert found["aji"] == pytest.approx(np.mean(scores), abs=1e-12)
    assert [found[f"aji_seeds_{end}"] for end in ("from", "to")] == pytest.approx(over_seeds(scores), abs=1e-12)
    weights = [torch.load(run.folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for run in runs]
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not list(tmp_path.glob("*.ckpt"))  # where the experiment's own callback would have written


@pytest.mark.timeout(900)
def test_a_sweep_on_a_dask_cluster(blobs, tmp_path):
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=":0"
    ) as cluster:
        given = ["--out", str(tmp_path / "out"), "--scheduler", cluster.scheduler_address]
        assert main(["sweep", str(blobs / "a.yaml"), *given]) == 0
    assert len(content(tmp_path / "out")["results"]) == 1


def test_no_cluster_at_the_address(blobs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("zoo.cluster.TIMEOUT", 0.2)
    given = ["--out", str(tmp_path / "out"), "--scheduler", "tcp://127.0.0.1:9"]
    assert main(["sweep", str(blobs / "a.yaml"), *given]) == 2
    assert "no Dask scheduler answers" in capsys.readouterr().err


def test_the_sweep_of_wandb_is_the_same_grid(tmp_path, capsys):
    """Its agent would start commands that are valid trainings, each in a folder of its own."""
    from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

    path = tiny_experiment(tmp_path)
    file = tmp_path / "sweep.yaml"
    given = ["--set", "optimizer.lr=1e-3,1e-4", "--seeds", "3", "--wandb-sweep", str(file)]
    assert main(["sweep", str(path), *given]) == 0
    written = yaml.safe_load(file.read_text())
    assert written == sweep_file(Address(path), [Varied.parse("optimizer.lr=1e-3,1e-4")], 3)
    assert written["method"] == "grid"
    assert written["parameters"] == {
        "model.init_args.optimizer.init_args.lr": {"values": [1e-3, 1e-4]},
        "seed_everything": {"values": [0, 1, 2]},
    }
    chosen = {name: {"value": each["values"][-1]} for name, each in written["parameters"].items()}
    arguments = create_sweep_command_args({"args": chosen})["args"]
    command = [part for each in written["command"] for part in (arguments if each == "${args}" else [each])]
    (tmp_path / "zoo").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "zoo").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "WANDB_RUN_ID": "abc"}
    started = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
    assert started[:3] == ["fit", "-c", str(path)]
    assert "--trainer.default_root_dir=runs/sweep-abc" in started
    from zoo.config.cli import ReadCLI, run

    config = run(started[1:], run_verb=False, kind=ReadCLI).config
    assert config.seed_everything == 2
    assert config.model.init_args.optimizer.init_args.lr == 1e-4
    assert config.trainer.logger.class_path.endswith("WandbLogger")


def test_the_sweep_of_wandb_does_not_replace_its_experiment(blobs, tmp_path, capsys):
    mine = tmp_path / "mine.yaml"
    mine.write_bytes((blobs / "a.yaml").read_bytes())
    assert main(["sweep", str(mine), "--set", "sigma=1,2", "--wandb-sweep", str(mine)]) == 2
    assert "mine.yaml: is read, and would be written over" in capsys.readouterr().err
    assert mine.read_bytes() == (blobs / "a.yaml").read_bytes()


def test_a_sweep_that_was_killed_while_it_wrote_down_its_runs_goes_on(blobs, tmp_path, monkeypatch):
    what = Options([Varied.parse("sigma=1,2")], 1, "val", True, None, "zoo sweep")
    written = []

    def killed(path: Path, content: str) -> None:
        if written:
            raise KeyboardInterrupt
        written.append(path)
        write_text(path, content)

    addresses = [Address(blobs / "a.yaml")]
    with monkeypatch.context() as patch:
        patch.setattr("zoo.comparison.sweep.plan.write_text", killed)
        with pytest.raises(KeyboardInterrupt):
            plan(addresses, what, tmp_path / "out")
    assert len(plan(addresses, what, tmp_path / "out")) == 2

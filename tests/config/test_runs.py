"""What a training leaves can be evaluated as it lies there, and everything says which weights it is about."""

import json

import pytest

from tests.helpers.tiny import tiny_experiment
from zoo.cli import main
from zoo.files import sha256


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    best = {"class_path": "zoo.callbacks.BestCheckpoint", "init_args": {"monitor": "val/aji"}}
    samples = {"class_path": "zoo.callbacks.SampleLogger", "init_args": {"samples": 1}}
    shown = {"enable_progress_bar": True, "enable_model_summary": True, "logger": None}
    callbacks = [{"class_path": "zoo.callbacks.LastCheckpoint"}, best, samples]
    return tiny_experiment(folder, callbacks=callbacks, default_root_dir=str(folder / "mine"), **shown)


@pytest.fixture(scope="module")
def output(experiment):
    """What a training says."""
    from contextlib import redirect_stderr, redirect_stdout
    from io import StringIO

    said = StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        assert main(["fit", "-c", str(experiment)]) == 0
    return said.getvalue()


@pytest.fixture(scope="module")
def run(experiment, output):
    return experiment.parent / "mine"


def test_one_folder_for_the_loggers_and_nothing_that_means_nothing(run, output):
    assert [path.name for path in (run / "lightning_logs").iterdir()] == ["version_0"]
    names = {path.name.partition(".")[0] for path in (run / "lightning_logs" / "version_0").iterdir()}
    assert {"events", "metrics", "config"} <= names
    assert "parameters, " in output
    for noise in ("/-2", "FLOPs", "sync_dist", "exists and is not empty"):
        assert noise not in output
    assert f"last: {run / 'checkpoints' / 'last.ckpt'}" in output.replace("\n", "")


def evaluated(capsys, run, *arguments):
    assert main(["test", *map(str, arguments)]) == 0
    written = max(run.glob("lightning_logs/version_*/test.json"), key=lambda path: path.stat().st_mtime)
    return json.loads(written.read_text()), capsys.readouterr().out


def test_the_weights_that_are_tested_are_named(experiment, run, capsys):
    best, last = (run / "checkpoints" / f"{which}.ckpt" for which in ("best", "last"))
    for arguments, weights in (((run,), best), (("-c", experiment, "--ckpt_path", "last"), last)):
        result, out = evaluated(capsys, run, *arguments)
        assert result["weights"] == {"name": str(weights), "sha256": sha256(weights)}
        assert 0 <= result["metrics"]["aji"] <= 1
        assert f"weights: {weights}" in out
    result, out = evaluated(capsys, run, "-c", experiment)
    assert result["weights"] == {"name": "untrained"}
    assert f"{run / 'checkpoints'} holds what was trained: --ckpt_path best or --ckpt_path last evaluates it" in out


def test_runs_are_compared(run, capsys):
    last = run / "checkpoints" / "last.ckpt"
    # As an experiment with a title leaves it; one without goes by the names of folder and file.
    (run / "config.yaml").write_text((run / "config.yaml").read_text().replace("title: null", "title: Mine"))
    assert main(["compare", str(run), str(last), "--out", str(run.parent / "out")]) == 0
    results = json.loads((run.parent / "out" / "results.json").read_text())["results"]
    assert [result["experiment"] for result in results] == ["mine", "mine-last"]
    assert [result["title"] for result in results] == ["Mine (best)", "Mine (last)"]
    assert [result["checkpoint"]["weights"]["name"] for result in results] == ["best.ckpt", "last.ckpt"]
    assert f"{run}: the weights of {run / 'checkpoints' / 'best.ckpt'}" in capsys.readouterr().out


def test_what_is_no_run(run, tmp_path, capsys):
    assert main(["compare", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "best.ckpt nor" in capsys.readouterr().err
    (tmp_path / "alone.ckpt").write_bytes((run / "checkpoints" / "last.ckpt").read_bytes())
    assert main(["test", str(tmp_path / "alone.ckpt")]) == 2
    assert "zoo test -c EXPERIMENT.yaml --ckpt_path" in capsys.readouterr().err


def test_a_training_that_fails_before_its_first_step_leaves_nothing_behind(experiment, run, tmp_path, capsys):
    before = {path: path.read_bytes() for path in run.rglob("config.yaml")}
    assert len(before) >= 2
    other = "--model.init_args.encoder=zoo.encoders.Disks"
    assert main(["fit", "-c", str(experiment), other, "--ckpt_path", "last"]) == 2
    assert {path: path.read_bytes() for path in run.rglob("config.yaml")} == before
    channels = "--model.init_args.network.init_args.in_channels=7"
    folder = f"--trainer.default_root_dir={tmp_path / 'new'}"
    assert main(["fit", "-c", str(experiment), channels, folder]) == 2
    assert "takes 7 channels but is given 5" in capsys.readouterr().err
    assert not list(tmp_path.rglob("config.yaml"))
    assert main(["fit", "-c", str(experiment), folder]) == 0
    assert (tmp_path / "new" / "config.yaml").read_text().count("\n") == before[run / "config.yaml"].count(b"\n")


def test_another_encoder_is_refused_with_ckpt_path_too(experiment, run, capsys):
    other = "--model.init_args.encoder=zoo.encoders.Disks"
    assert main(["test", "-c", str(experiment), other, "--ckpt_path", "last"]) == 2
    message = capsys.readouterr().err
    assert "InclusionExclusion" in message
    assert "Disks" in message
    assert main(["test", "-c", str(experiment), other, "--ckpt_path", "last", "--model.weights_override=true"]) == 0

"""`zoo test`, `validate`, `compare` and `fit` on two processes, as the command line, torchrun and SLURM start them."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.helpers.tiny import SAMPLES
from zoo.cli import main
from zoo.store.writer import StoreWriter
from zoo.testing import tiny_image

# Each process has 240 s, and a test starts two, one after the other.
pytestmark = pytest.mark.timeout(600)

TRAINED, TESTED = 11, 7
TIMES = ("spi", "seconds")

# A user's own callback, which the console script finds in the current folder.
PROBE = """
import json
from lightning.pytorch.callbacks import Callback

class Seen(Callback):
    def on_train_start(self, trainer, pl_module):
        self.samples = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.samples += batch.truth.sample_id.tolist()

    def on_train_end(self, trainer, pl_module):
        weights = float(sum(p.detach().double().sum() for p in pl_module.parameters()))
        with open(f"seen-{trainer.global_rank}.json", "w") as stream:
            json.dump({"samples": self.samples, "weights": weights, "world": trainer.world_size}, stream)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Odd numbers of objects to train and to test on."""
    folder = tmp_path_factory.mktemp("ddp")
    about = {"dataset": "Tiny", "licence": "CC0-1.0", "citation": "nobody", "source_checksum": "0" * 64}
    with StoreWriter(folder / "tiny.h5", **about) as writer:
        for split, objects in (("train", (4, 4, 3)), ("val", (4,)), ("test", (4, 3))):
            for number, count in enumerate(objects):
                image, labels = tiny_image(number)
                labels[labels > count] = 0
                name = f"{split}{number}"
                writer.add_group(name, image[None], labels[None], slide=name, patient=split, split=split)
    content = {
        "seed_everything": 3,
        "trainer": {
            "accelerator": "cpu",
            "max_steps": 2,
            "limit_val_batches": 0,
            "log_every_n_steps": 1,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "enable_checkpointing": False,
        },
        "protocol": {
            "class_path": "zoo.evaluation.Interactive",
            "init_args": {"max_interactions": 3, "samples": SAMPLES},
        },
        "model": {
            "class_path": "zoo.methods.NuClick",
            "init_args": {
                "network": {
                    "class_path": "zoo.networks.NuClickNet",
                    "init_args": {"width": 0.0625, "multi_scale_blocks": 0},
                },
                "zoom": {"class_path": "zoo.inference.zoom.InteractionWindow", "init_args": {"side": 32}},
                "postprocess": {"class_path": "zoo.methods.nuclick.PostProcess", "init_args": {"min_object": 1}},
            },
        },
        "data": {"files": ["tiny.h5"], "train": SAMPLES, "batch_size": 2},
    }
    (folder / "experiment.yaml").write_text(yaml.safe_dump(content))
    (folder / "probe.py").write_text(PROBE)
    return folder


def arguments(verb, name, *more):
    logger = ["--trainer.logger=lightning.pytorch.loggers.CSVLogger", f"--trainer.logger.save_dir={name}"]
    return [verb, "-c", "experiment.yaml", *logger, *more]


TWO = ("--trainer.devices=2", "--trainer.strategy=ddp")


def environment():
    """Of a shell, where no launcher has said anything yet."""
    outer = ("LOCAL_RANK", "WORLD_SIZE", "NODE_RANK", "MASTER_PORT", "PYTHONPATH")
    return {name: value for name, value in os.environ.items() if name not in outer} | {"OMP_NUM_THREADS": "1"}


def on_two_processes(folder, *given, launcher=(str(Path(sys.executable).parent / "zoo"),)):
    command = [*launcher, *given, *TWO]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done


def as_slurm_does(folder, *given):
    """What `srun` does on one machine: it starts all processes and tells each its number."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    said = {"JOB_ID": "1", "JOB_NAME": "train", "NTASKS": "2", "NTASKS_PER_NODE": "2", "NODEID": "0"}
    said = {f"SLURM_{name}": value for name, value in said.items()}
    said |= {"SLURM_NODELIST": "localhost", "SLURM_NNODES": "1", "MASTER_PORT": str(port)}
    command = [sys.executable, "-m", "zoo", *given, *TWO]
    running = []
    for rank in ("0", "1"):
        own = environment() | said | {"SLURM_PROCID": rank, "SLURM_LOCALID": rank}
        running.append(subprocess.Popen(command, cwd=folder, env=own, stderr=subprocess.PIPE, text=True))
    told = [each.communicate(timeout=240)[1] for each in running]
    assert [each.returncode for each in running] == [0, 0], told


def logged(folder, prefix):
    """The last value of each metric in the CSV logger's file."""
    (path,) = folder.glob("lightning_logs/version_*/metrics.csv")
    values = {}
    with path.open() as stream:
        for row in csv.DictReader(stream):
            values |= {name: float(value) for name, value in row.items() if name.startswith(prefix) and value}
    return values


@pytest.mark.ddp
def test_two_processes_measure_the_same(folder, monkeypatch):
    on_two_processes(folder, *arguments("test", "two"))
    monkeypatch.chdir(folder)
    assert main(arguments("test", "one", "--trainer.devices=1")) == 0
    one, two = logged(folder / "one", "test/"), logged(folder / "two", "test/")
    assert one.keys() == two.keys()
    assert one["test/sessions"] == TESTED
    assert len({one[f"test/iou@{k}"] for k in (1, 2, 3)}) > 1  # something is segmented, and changes
    for name in one.keys() - {"test/spi", "test/seconds"}:
        assert two[name] == pytest.approx(one[name], rel=1e-6, nan_ok=True), name


@pytest.mark.ddp
def test_two_processes_train_on_different_samples(folder):
    on_two_processes(folder, *arguments("fit", "fit", "--trainer.callbacks+=probe.Seen"))
    first, second = (json.loads((folder / f"seen-{rank}.json").read_text()) for rank in (0, 1))
    assert first["world"] == second["world"] == 2
    assert len(first["samples"]) == len(second["samples"]) == 2 * 2
    every = {*first["samples"], *second["samples"]}
    assert len(every) == 8
    assert every <= set(range(TRAINED))
    # Gradients are averaged: both ranks go on with the same weights.
    assert first["weights"] == second["weights"]
    assert "train/loss" in logged(folder / "fit", "train/")


@pytest.mark.ddp
def test_two_processes_go_on_where_one_was_stopped(folder):
    """11 samples: one process sees the first 4 of the epoch, two the next 4, where 3 are left over."""
    last = "{class_path: zoo.callbacks.LastCheckpoint, init_args: {dirpath: resumed}}"
    more = ["--trainer.enable_checkpointing=true", f"--trainer.callbacks=[{{class_path: probe.Seen}}, {last}]"]
    command = [str(Path(sys.executable).parent / "zoo"), *arguments("fit", "alone", *more, "--trainer.devices=1")]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    alone = json.loads((folder / "seen-0.json").read_text())["samples"]
    limits = ["--trainer.max_steps=-1", "--trainer.max_epochs=1", "--ckpt_path=resumed/last.ckpt"]
    done = on_two_processes(folder, *arguments("fit", "together", *more, *limits))
    together = [json.loads((folder / f"seen-{rank}.json").read_text())["samples"] for rank in (0, 1)]
    assert [len(alone), *map(len, together)] == [4, 2, 2]
    assert len({*alone, *together[0], *together[1]}) == 8
    assert "sync_dist" not in done.stderr


@pytest.mark.ddp
def test_two_processes_of_torchrun_compare_the_same(folder, monkeypatch):
    """A report, and one result, as of one process."""
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "zoo")
    on_two_processes(folder, "compare", "experiment.yaml", "--out", "both", launcher=torchrun)
    monkeypatch.chdir(folder)
    assert main(["compare", "experiment.yaml", "--out", "single", "--trainer.devices=1"]) == 0
    first, second = (json.loads((folder / name / "results.json").read_text()) for name in ("single", "both"))
    (first,), (second,) = first["results"], second["results"]
    assert first["data"] == second["data"]
    assert first["config_hash"] == second["config_hash"]
    numbers, others = (
        {name: value for name, value in result["metrics"].items() if value is not None and name not in TIMES}
        for result in (first, second)
    )
    assert others == pytest.approx(numbers, rel=1e-6)
    traces = [(folder / name / "traces/experiment.jsonl").read_text().splitlines() for name in ("single", "both")]
    assert len(traces[0]) == len(traces[1]) == TESTED


@pytest.mark.ddp
def test_fewer_samples_than_processes_count_once(folder):
    """As SLURM starts them; the validation split has one object for the two."""
    with StoreWriter(folder / "one.h5", dataset="Tiny", licence="CC0-1.0", citation="", source_checksum="0") as writer:
        for split in ("train", "val", "test"):
            image, labels = tiny_image(0)
            labels[labels > 1] = 0
            writer.add_group(split, image[None], labels[None], slide=split, patient=split, split=split)
    more = ("--data.files=[one.h5]", "--trainer.limit_val_batches=1.0", "--trainer.default_root_dir=few")
    as_slurm_does(folder, *arguments("validate", "few", *more))
    assert logged(folder / "few", "val/")["val/sessions"] == 1


@pytest.mark.ddp
def test_two_processes_have_the_loss_of_one(folder, monkeypatch):
    """Of the same global batch, step by step, and so the same weights; the network has no batch-norm."""
    more = (
        "--model.init_args.network=zoo.testing.TinyNetwork",
        "--trainer.max_steps=2",
        "--model.init_args.optimizer=torch.optim.SGD",
        "--model.init_args.optimizer.lr=0.1",
        "--trainer.callbacks+=probe.Seen",
    )
    on_two_processes(folder, *arguments("fit", "shared", "--data.batch_size=2", *more))
    two = [json.loads((folder / f"seen-{rank}.json").read_text()) for rank in (0, 1)]
    monkeypatch.chdir(folder)
    assert main(arguments("fit", "whole", "--data.batch_size=4", *more, "--trainer.devices=1")) == 0
    one = json.loads((folder / "seen-0.json").read_text())
    assert sorted(one["samples"]) == sorted(two[0]["samples"] + two[1]["samples"])
    losses = [losses_of(folder / name) for name in ("whole", "shared")]
    assert len(losses[0]) == 2
    assert losses[0][0] != losses[0][1]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert two[0]["weights"] == pytest.approx(one["weights"], rel=1e-4)


@pytest.mark.slow
@pytest.mark.ddp
def test_a_sweep_on_two_processes_chooses_the_same(folder, monkeypatch):
    """Trained on the same global batches, and evaluated once for both."""
    monkeypatch.chdir(folder)
    for name in ("LOCAL_RANK", "WORLD_SIZE", "NODE_RANK", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    settings = ("model.init_args.network=zoo.testing.TinyNetwork", "trainer.enable_checkpointing=true")
    sets = [each for setting in (*settings, "optimizer.lr=0.01,0.1") for each in ("--set", setting)]
    found = []
    for devices, batch in ((1, 4), (2, 2)):
        more = [
            "--set",
            f"trainer.devices={devices}",
            "--set",
            "trainer.strategy=ddp",
            "--set",
            f"data.batch_size={batch}",
        ]
        assert main(["sweep", "experiment.yaml", *sets, *more, "--out", f"sweep{devices}"]) == 0
        rows = json.loads((folder / f"sweep{devices}" / "results.json").read_text())["results"]
        found.append({row["experiment"].partition("lr=")[2]: row["metrics"]["auc"] for row in rows})
    assert len(found[0]) == 2
    assert found[1] == pytest.approx(found[0], rel=1e-4)


@pytest.mark.ddp
def test_a_killed_process_ends_the_training_of_the_others(folder):
    """Within a minute, with a line that says what to do, and a checkpoint that goes on."""
    last = "{class_path: zoo.callbacks.LastCheckpoint, init_args: {dirpath: killed, every: 1}}"
    more = ["--trainer.enable_checkpointing=true", f"--trainer.callbacks=[{last}]"]
    endless = ["--trainer.max_steps=-1", "--trainer.max_epochs=-1"]
    command = [str(Path(sys.executable).parent / "zoo"), *arguments("fit", "ended", *more), *TWO, *endless]
    with subprocess.Popen(command, cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True) as first:
        while not (folder / "killed/last.ckpt").is_file():
            assert first.poll() is None, first.communicate()[1]
            time.sleep(0.2)
        os.kill(child_of(first.pid), signal.SIGKILL)
        told = first.communicate(timeout=60)[1]
    assert first.returncode != 0
    assert "Traceback" not in told
    assert "--ckpt_path last" in told
    on_two_processes(folder, *arguments("fit", "on", *more, "--trainer.max_epochs=1", "--ckpt_path=killed/last.ckpt"))


def child_of(pid):
    """The process that another one has started."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def losses_of(folder):
    """Of each training step."""
    (path,) = folder.glob("lightning_logs/version_*/metrics.csv")
    with path.open() as stream:
        return [float(row["train/loss"]) for row in csv.DictReader(stream) if row["train/loss"]]

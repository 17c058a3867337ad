"""`zoo test` and `zoo fit` on two processes, as the command line starts them."""

import csv
import json
import os
import subprocess
import sys
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


def on_two_processes(folder, *given):
    command = [str(Path(sys.executable).parent / "zoo"), *given, "--trainer.devices=2", "--trainer.strategy=ddp"]
    outer = ("LOCAL_RANK", "WORLD_SIZE", "NODE_RANK", "MASTER_PORT", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if name not in outer}
    environment["OMP_NUM_THREADS"] = "1"
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done


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
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    alone = json.loads((folder / "seen-0.json").read_text())["samples"]
    limits = ["--trainer.max_steps=-1", "--trainer.max_epochs=1", "--ckpt_path=resumed/last.ckpt"]
    done = on_two_processes(folder, *arguments("fit", "together", *more, *limits))
    together = [json.loads((folder / f"seen-{rank}.json").read_text())["samples"] for rank in (0, 1)]
    assert [len(alone), *map(len, together)] == [4, 2, 2]
    assert len({*alone, *together[0], *together[1]}) == 8
    assert "sync_dist" not in done.stderr

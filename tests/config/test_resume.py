"""A killed training continues where it was: exactly, since all randomness is counted."""

import json
from typing import ClassVar

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from zoo.cli import main
from zoo.store.writer import StoreWriter


@pytest.fixture
def store(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "store.h5"
    names = {"dataset": "discs", "licence": "none", "citation": "none", "source_checksum": "0"}
    with StoreWriter(path, **names) as writer:
        for number, split in enumerate(["train", "train", "val", "test"]):
            labels = np.zeros((1, 96, 96), np.int32)
            for i in range(8):
                x, y = rng.integers(8, 88, 2)
                labels[0, y - 6 : y + 6, x - 6 : x + 6] = i + 1
            image = rng.integers(150, 250, (1, 96, 96, 3)).astype(np.uint8)
            image[labels > 0] //= 2
            writer.add_group(f"g{number}", image, labels, slide=f"s{number}", patient=f"p{number}", split=split)
    return path


def fit(store, folder, *more):
    arguments = {
        "trainer.default_root_dir": folder,
        "trainer.limit_val_batches": 0,
        "trainer.enable_progress_bar": "false",
        "trainer.enable_model_summary": "false",
        "trainer.logger": "false",
        "trainer.callbacks": "[{class_path: zoo.callbacks.LastCheckpoint, init_args: {every: 3}}]",
        "protocol": "zoo.evaluation.Interactive",
        "protocol.init_args.max_interactions": 1,
        "protocol.init_args.samples": "zoo.data.ObjectWindows",
        "protocol.init_args.samples.init_args.side": 64,
        "model": "zoo.methods.NuClick",
        "model.network": "zoo.networks.NuClickNet",
        "model.network.init_args.width": 0.0625,
        "data.files": f"[{store}]",
        "data.train": "zoo.data.ObjectWindows",
        "data.train.init_args.side": 64,
        "data.batch_size": 2,
        "data.augment": "zoo.data.transforms.Augment",
    }
    code = main(["fit", *(f"--{name}={value}" for name, value in arguments.items()), *more])
    last = folder / "checkpoints" / "last.ckpt"
    return code, torch.load(last, weights_only=True) if last.is_file() else None


def test_resumed_training_equals_an_uninterrupted_one(store, tmp_path):
    _, whole = fit(store, tmp_path / "whole", "--trainer.max_steps=9")
    fit(store, tmp_path / "parts", "--trainer.max_steps=3")
    last = tmp_path / "parts" / "checkpoints" / "last.ckpt"
    _, resumed = fit(store, tmp_path / "parts", "--trainer.max_steps=9", f"--ckpt_path={last}")
    assert resumed["global_step"] == whole["global_step"] == 9
    for name, value in whole["state_dict"].items():
        torch.testing.assert_close(resumed["state_dict"][name], value, rtol=0, atol=0, msg=name)


class Fading(Callback):
    """Logs a metric that the first validation has the best of, and stops the training after a step."""

    def __init__(self, stop: int = 99) -> None:
        self.stop = stop

    def on_validation_epoch_end(self, trainer, pl_module):
        pl_module.log("val/fading", 1 / (1 + trainer.global_step))

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == self.stop:
            raise RuntimeError("killed")


def callbacks(stop):
    fading = {"class_path": f"{__name__}.Fading", "init_args": {"stop": stop}}
    best = {"class_path": "zoo.callbacks.BestCheckpoint", "init_args": {"monitor": "val/fading"}}
    last = {"class_path": "zoo.callbacks.LastCheckpoint", "init_args": {"every": 3}}
    given = json.dumps([last, best, fading])
    validated = ["--trainer.limit_val_batches=1", "--trainer.val_check_interval=2", "--trainer.max_steps=7"]
    return [f"--trainer.callbacks={given}", *validated, "--trainer.num_sanity_val_steps=0"]


def test_last_and_best_are_two_files_and_a_killed_training_goes_on_from_the_last(store, tmp_path, capsys):
    """The best is that of step 2, the last at the time of the killing that of step 3, before the one of step 4."""
    with pytest.raises(RuntimeError, match="killed"):
        fit(store, tmp_path / "parts", *callbacks(stop=5))
    last = torch.load(tmp_path / "parts" / "checkpoints" / "last.ckpt", weights_only=True)
    best = tmp_path / "parts" / "checkpoints" / "best.ckpt"
    assert sorted(path.name for path in best.parent.iterdir()) == ["best.ckpt", "last.ckpt"]
    assert (last["global_step"], torch.load(best, weights_only=True)["global_step"]) == (3, 2)
    code, resumed = fit(store, tmp_path / "parts", *callbacks(stop=99), "--ckpt_path=last")
    assert code == 0
    assert torch.load(best, weights_only=True)["global_step"] == 2
    _, whole = fit(store, tmp_path / "whole", *callbacks(stop=99))
    assert resumed["global_step"] == whole["global_step"] == 7  # no multiple of 3: the end is written in any case
    for name, value in whole["state_dict"].items():
        torch.testing.assert_close(resumed["state_dict"][name], value, rtol=0, atol=0, msg=name)
    lines = capsys.readouterr().out.splitlines()
    assert f"best: {tmp_path / 'whole' / 'checkpoints' / 'best.ckpt'} (val/fading 0.3333)" in lines
    assert f"last: {tmp_path / 'whole' / 'checkpoints' / 'last.ckpt'}" in lines
    assert any(line.startswith("step 7: ") and "train/loss" in line and "val/iou@1" in line for line in lines)


def test_a_last_that_would_be_the_best_is_refused(store, tmp_path, capsys):
    given = "[{class_path: ModelCheckpoint, init_args: {monitor: val/iou@1, save_last: true}}]"
    code, _ = fit(store, tmp_path, f"--trainer.callbacks={given}", "--trainer.max_steps=2")
    assert code == 2
    assert "zoo.callbacks.BestCheckpoint(monitor=val/iou@1) and zoo.callbacks.LastCheckpoint" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--trainer.limit_val_batches=1", "--trainer.num_sanity_val_steps=0"], "monitors 'val/ioo@1', which nobody"),
        ([], "monitors val/ioo@1, but nothing is validated"),
        (["--trainer.max_steps=-5"], "max_steps"),
        (["--protocol.init_args.targets=[1.5]"], "targets"),
    ],
)
def test_mistakes_are_found_before_a_training_starts(store, tmp_path, capsys, arguments, said):
    given = "[{class_path: zoo.callbacks.BestCheckpoint, init_args: {monitor: val/ioo@1}}]"
    code, last = fit(store, tmp_path, f"--trainer.callbacks={given}", "--trainer.max_steps=2", *arguments)
    assert (code, last) == (2, None)
    (message,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("zoo fit:")]
    assert said in message


def test_a_second_training_leaves_the_first_ones_checkpoints(store, tmp_path, capsys):
    code, first = fit(store, tmp_path / "runs", "--trainer.max_steps=3")
    assert code == 0
    files = sorted((tmp_path / "runs" / "checkpoints").iterdir())
    code, last = fit(store, tmp_path / "runs", "--trainer.max_steps=3", "--seed_everything=2")
    assert code == 2
    assert f"--ckpt_path {tmp_path / 'runs' / 'checkpoints' / 'last.ckpt'}" in capsys.readouterr().err
    assert sorted((tmp_path / "runs" / "checkpoints").iterdir()) == files
    for name, value in first["state_dict"].items():
        assert torch.equal(last["state_dict"][name], value)


class Seen(Callback):
    """Writes down the samples of every batch."""

    samples: ClassVar[list[list[int]]] = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.samples.append(batch.truth.sample_id.tolist())


def seen(*arguments):
    """The 16 training samples of each epoch, as they were seen."""
    Seen.samples = []
    more = f"[{{class_path: zoo.callbacks.LastCheckpoint, init_args: {{every: 2}}}}, {{class_path: {__name__}.Seen}}]"
    fit(*arguments, f"--trainer.callbacks={more}")
    return [number for batch in Seen.samples for number in batch]


@pytest.mark.parametrize("stop", [4, 8])
def test_another_batch_size_sees_each_sample_once(store, tmp_path, stop):
    """In the middle of an epoch of 8 batches, and at its end."""
    first = seen(store, tmp_path, f"--trainer.max_steps={stop}")
    more = ["--trainer.max_epochs=2", "--ckpt_path=last"]
    second = seen(store, tmp_path, *more, "--data.batch_size=4")
    every = [*first, *second]
    assert len(every) == 32
    assert sorted(every[:16]) == sorted(every[16:]) == list(range(16))
    assert every[:16] != every[16:]

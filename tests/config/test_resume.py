"""A killed training continues where it was: exactly, since all randomness is counted."""

import numpy as np
import pytest
import torch

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
        "trainer.callbacks": "[{class_path: ModelCheckpoint, init_args: {every_n_train_steps: 3, save_last: true}}]",
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
    return code, torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


def test_resumed_training_equals_an_uninterrupted_one(store, tmp_path):
    _, whole = fit(store, tmp_path / "whole", "--trainer.max_steps=9")
    fit(store, tmp_path / "parts", "--trainer.max_steps=3")
    last = tmp_path / "parts" / "checkpoints" / "last.ckpt"
    _, resumed = fit(store, tmp_path / "parts", "--trainer.max_steps=9", f"--ckpt_path={last}")
    assert resumed["global_step"] == whole["global_step"] == 9
    for name, value in whole["state_dict"].items():
        torch.testing.assert_close(resumed["state_dict"][name], value, rtol=0, atol=0, msg=name)


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

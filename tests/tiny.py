"""A store, an experiment and a training that take a second."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from zoo.store.writer import StoreWriter

SAMPLES = {"class_path": "zoo.data.ObjectWindows", "init_args": {"side": 32}}
DISKS = [(14, 16), (40, 20), (26, 46), (52, 50)]


def tiny_image(seed: int = 0, side: int = 64) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """An image (64, 64, 3) with four dark disks of radius 7, and its label image."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    labels = np.zeros((side, side), np.int32)
    for number, (row, column) in enumerate(DISKS, 1):
        labels[(rows - row) ** 2 + (columns - column) ** 2 <= 49] = number
    image = rng.integers(200, 230, (side, side, 3)).astype(np.uint8)
    image[labels > 0] = image[labels > 0] // 3
    return image, labels


def tiny_store(path: Path) -> Path:
    """A store with one image in each split."""
    about = {"dataset": "Tiny", "licence": "CC0-1.0", "citation": "nobody", "source_checksum": "0" * 64}
    with StoreWriter(path, **about) as writer:
        for seed, split in enumerate(("train", "val", "test")):
            image, labels = tiny_image(seed)
            writer.add_group(split, image[None], labels[None], slide=split, patient=split, split=split, mpp=0.25)
    return path


def tiny_experiment(folder: Path, **trainer: Any) -> Path:
    """An experiment's YAML: NuClick at width 1/16 with averaged weights on a tiny store, three steps."""
    content = {
        "trainer": {
            "accelerator": "cpu",
            "devices": 1,
            "max_steps": 3,
            "logger": {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": str(folder)}},
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "num_sanity_val_steps": 0,
            "log_every_n_steps": 1,
            "default_root_dir": str(folder),
            "callbacks": [
                {
                    "class_path": "lightning.pytorch.callbacks.ModelCheckpoint",
                    "init_args": {
                        "dirpath": str(folder),
                        "save_last": True,
                        "every_n_train_steps": 1,
                        "save_top_k": -1,
                    },
                },
                {
                    "class_path": "lightning.pytorch.callbacks.EMAWeightAveraging",
                    "init_args": {"decay": 0.5, "use_buffers": True},
                },
            ],
        }
        | trainer,
        "protocol": {"class_path": "zoo.evaluation.OneShotProtocol"},
        "model": {
            "class_path": "zoo.methods.NuClick",
            "init_args": {
                "network": {
                    "class_path": "zoo.networks.NuClickNet",
                    "init_args": {"width": 0.0625, "multi_scale_blocks": 0},
                },
                "zoom": {"class_path": "zoo.inference.zoom.InteractionWindow", "init_args": {"side": 32}},
                "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.01}},
                "mpp": 0.25,
            },
        },
        "data": {"files": [str(tiny_store(folder / "tiny.h5"))], "train": SAMPLES, "batch_size": 4},
    }
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(content))
    return path

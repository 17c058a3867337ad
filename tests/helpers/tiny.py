"""An experiment and a training that take a second."""

from pathlib import Path
from typing import Any

import yaml

from zoo.testing import tiny_store

SAMPLES = {"class_path": "zoo.data.ObjectWindows", "init_args": {"side": 32}}


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

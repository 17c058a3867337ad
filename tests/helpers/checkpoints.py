"""Small checkpoint folders to test with."""

from functools import cache
from pathlib import Path
from typing import Any

import torch

from zoo.hub.folder import build, save_folder

CONFIG: dict[str, Any] = {
    "class_path": "zoo.methods.NuClick",
    "init_args": {
        "network": {"class_path": "zoo.networks.NuClickNet", "init_args": {"width": 0.0625, "multi_scale_blocks": 0}},
        "zoom": {"class_path": "zoo.inference.zoom.InteractionWindow", "init_args": {"side": 32}},
        "mpp": 0.25,
    },
}
WATERSHED: dict[str, Any] = {"class_path": "zoo.methods.Watershed", "init_args": {"window": 32}}


@cache
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return build(CONFIG).state_dict()


def nuclick_folder(folder: Path) -> Path:
    save_folder(folder, CONFIG, state(), "# tiny\n")
    return folder


def calm_folder(folder: Path) -> Path:
    """The same with logits near 0: those of an untrained network are thousands, where rounding errors show."""
    calm = {name: value * 1e-3 if name == "network.out.weight" else value for name, value in state().items()}
    save_folder(folder, CONFIG, calm, "# tiny\n")
    return folder


def watershed_folder(folder: Path) -> Path:
    save_folder(folder, WATERSHED, {}, "# watershed\n")
    return folder

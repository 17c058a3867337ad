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
UNET: dict[str, Any] = {
    **CONFIG,
    "init_args": {
        **CONFIG["init_args"],
        "network": {
            "class_path": "zoo.networks.Unet",
            "init_args": {"in_channels": 5, "backbone": "test_efficientnet", "decoder_channels": [16, 8, 8, 8, 8]},
        },
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


def unet_folder(folder: Path) -> Path:
    """As `nuclick_folder`, of a network whose logits are near 0 before it is trained: rounding errors stay small."""
    torch.manual_seed(0)
    method = build(UNET)
    save_folder(folder, UNET, method.state_dict(), "# tiny\n")
    return folder


def watershed_folder(folder: Path) -> Path:
    save_folder(folder, WATERSHED, {}, "# watershed\n")
    return folder

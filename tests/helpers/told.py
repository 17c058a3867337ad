"""A network that says what it was told: its masks are known beforehand."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoo.hub.folder import save_folder

RADIUS = 24
CONFIG: dict[str, Any] = {
    "class_path": "zoo.segmenters.ritm.RITM",
    "init_args": {
        "network": {"class_path": "tests.helpers.told.Told"},
        "encoder": {
            "class_path": "zoo.encoders.Concat",
            "init_args": {
                "encoders": [
                    {"class_path": "zoo.encoders.Disks", "init_args": {"radius": RADIUS}},
                    {"class_path": "zoo.encoders.StrokeRaster"},
                ]
            },
        },
        "zoom": {"class_path": "zoo.inference.zoom.WholeImage"},
        "mpp": 0.5,
    },
}


class Told(nn.Module):
    """Logits 4 on the previous mask and what is positive, but not where something is negative; else -4."""

    def forward(self, x: Tensor) -> Tensor:
        positive, negative, drawn, cut, previous = x[:, 3:].split(1, 1)
        inside = torch.stack([positive, drawn, (previous > 0.5).float()]).amax(0)
        return 8 * inside * (1 - torch.maximum(negative, cut)) - 4


def told_folder(folder: Path) -> Path:
    save_folder(folder, CONFIG, {}, "# told\n")
    return folder

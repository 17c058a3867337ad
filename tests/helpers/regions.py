"""Region stores, networks and trainings so small that GuideNet and RefineNet take a second."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zoo.hub.folder import build, save_folder
from zoo.store.schema import IGNORE
from zoo.store.writer import StoreWriter

HEIGHT, WIDTH = 72, 100


class TinyNet(nn.Module):
    """Two convolutions with batch statistics between them, for images of any size."""

    def __init__(self, in_channels: int = 3) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(in_channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.out = nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(self.body(x))
        return logits


def region_image(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Image (72, 100, 3) and label of two dark disks, one of label 2; the last four rows are ignored."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    label = np.zeros((HEIGHT, WIDTH), np.uint8)
    for number, x in enumerate((28, 74), 1):
        y, radius = rng.integers(24, 44), rng.integers(14, 22)
        label[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = number
    image = rng.integers(190, 240, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    image[label > 0] //= 2
    label[-4:] = IGNORE
    return image, label


def write_regions(path: Path, patients: Mapping[str, str]) -> Path:
    """A store with one image of each patient; `patients` says whose split is which."""
    about = {"dataset": "Regions", "licence": "CC0 1.0", "citation": "Nobody 2021", "source_checksum": "0" * 64}
    with StoreWriter(path, **about, labels="region") as writer:
        for patient, split in patients.items():
            image, label = region_image(sum(patient.encode()))
            writer.add_group(
                f"g-{patient}", image[None], label[None], slide=f"s-{patient}", patient=patient, split=split, mpp=1.0
            )
    return path


def guide_folder(folder: Path, patients: tuple[str, ...] = (), seed: int = 0) -> Path:
    """The checkpoint folder of an untrained GuideNet whose mask is partly right, trained on these patients."""
    config: dict[str, Any] = {
        "class_path": "zoo.methods.GuideNet",
        "init_args": {
            "network": {"class_path": "tests.helpers.regions.TinyNet"},
            "loss": {"class_path": "zoo.losses.BinaryCrossEntropy"},
        },
    }
    torch.manual_seed(seed)
    state = build(config).state_dict()
    # Dark where it is a region, and batch statistics that are not those of a new layer.
    state["network.body.0.weight"][0] = -1 / 9
    state["network.body.0.bias"][0] = 2.0
    state["network.body.1.running_mean"] += 0.3
    state["network.out.weight"][:, 0] = 0.5
    state["network.out.bias"] -= 0.5
    if patients:
        config["patients"] = [f"Regions: {patient}" for patient in patients]
    save_folder(folder, config, state, "# tiny guide\n", bits=32)
    return folder

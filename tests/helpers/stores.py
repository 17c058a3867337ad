"""Small stores whose pixels tell where they come from."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.store.reader import Store
from zoo.store.schema import IGNORE
from zoo.store.writer import StoreWriter

ABOUT = {"dataset": "Made up", "licence": "CC0 1.0", "citation": "nobody", "source_checksum": "0" * 64}
HEIGHT, WIDTH = 40, 56
# Row, column, height, width: two touch, two lie in corners, and one has a single pixel.
RECTANGLES = [(0, 0, 6, 5), (10, 20, 8, 7), (10, 27, 8, 4), (33, 50, 7, 6), (25, 8, 1, 1), (20, 40, 12, 9)]
IDS = [7, 300, 2, 70_000, 41, 5]


def picture(seed: int) -> NDArray[np.uint8]:
    """(40, 56, 3): the row, the column and the seed of every pixel."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([rows, columns, np.full_like(rows, seed)], -1).astype(np.uint8)


def instances() -> NDArray[np.int32]:
    """(40, 56) with the ids of `IDS` in `RECTANGLES`."""
    label = np.zeros((HEIGHT, WIDTH), np.int32)
    for number, (row, column, height, width) in zip(IDS, RECTANGLES, strict=True):
        label[row : row + height, column : column + width] = number
    return label


def instance_store(path: Path, *groups: tuple[str, str, int], mpp: float | None = None, **about: Any) -> Store:
    """A store of (name, split, number of images) groups; each is a patient of its own."""
    with StoreWriter(path, **(ABOUT | about)) as writer:
        for seed, (name, split, count) in enumerate(groups):
            images = np.stack([picture(10 * seed + item) for item in range(count)])
            labels = np.stack([instances()] * count)
            patient = f"{path.stem}-{name}"
            writer.add_group(name, images, labels, slide=f"slide-{name}", patient=patient, split=split, mpp=mpp)
    return Store(path)


def region_store(path: Path, split: str = "test") -> Store:
    """Two images: 1 and 2 are labelled, 255 is ignored; the second one holds nothing else."""
    label = np.zeros((2, HEIGHT, WIDTH), np.uint8)
    label[0, 5:15, 5:15], label[0, 20:25, 20:30], label[:, 30:] = 1, 2, IGNORE
    with StoreWriter(path, **ABOUT, labels="region") as writer:
        images = np.stack([picture(0), picture(1)])
        writer.add_group("r", images, label, slide="s", patient="p", split=split)
    return Store(path)

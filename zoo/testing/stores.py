"""A store of a few kilobytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.store.schema import IGNORE, Labels
from zoo.store.writer import StoreWriter

DISKS = [(14, 16), (40, 20), (26, 46), (52, 50)]
"""Row and column of each disk's middle."""


def tiny_image(seed: int = 0, side: int = 64) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """A light, noisy image (64, 64, 3) with four dark disks of radius 7, and its label image: 1 to 4."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    labels = np.zeros((side, side), np.int32)
    for number, (row, column) in enumerate(DISKS, 1):
        labels[(rows - row) ** 2 + (columns - column) ** 2 <= 49] = number
    image = rng.integers(200, 230, (side, side, 3)).astype(np.uint8)
    image[labels > 0] = image[labels > 0] // 3
    return image, labels


def tiny_store(path: Path, labels: Labels = "instances") -> Path:
    """Write a store with one `tiny_image` in each of the splits train, val and test; each is a patient of its own.

    Args:
        path: of the file.
        labels: `instances`, disks 1 to 4, or `region`, the same as regions, with four rows to be ignored.
    """
    with StoreWriter(
        path, dataset="Tiny", licence="CC0-1.0", citation="nobody", source_checksum="0" * 64, labels=labels
    ) as writer:
        for seed, split in enumerate(("train", "val", "test")):
            image, numbers = tiny_image(seed)
            if labels == "region":
                numbers = numbers.astype(np.uint8)
                numbers[-4:] = IGNORE
            writer.add_group(split, image[None], numbers[None], slide=split, patient=split, split=split, mpp=0.25)
    return path

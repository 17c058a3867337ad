"""Reading patches and windows through the store, beside h5py reading the same chunks of the same file."""

import tempfile
from pathlib import Path

import h5py
import numpy as np

from benchmarks.common import Row, best_of
from zoo.store.reader import Store
from zoo.store.writer import StoreWriter

SIZE, COUNT = 256, 16


def _texture(count: int, size: int) -> np.ndarray:
    """Images (count, size, size, 3) uint8 that compress like stained tissue: smooth, with sensor noise."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 230, (count, size // 8, size // 8, 3))
    fine = coarse.repeat(8, axis=1).repeat(8, axis=2) + rng.normal(0, 8, (count, size, size, 3))
    return np.clip(fine, 0, 255).astype(np.uint8)


def _labels(images: np.ndarray) -> np.ndarray:
    return np.where(images[..., 0] > 180, 1, 0).astype(np.int32)


def run() -> list[Row]:
    patches, whole = _texture(COUNT, SIZE), _texture(1, 1024)
    about = {"dataset": "made up", "licence": "CC0 1.0", "citation": "", "source_checksum": ""}
    ids = {"slide": "s", "patient": "p", "split": "train"}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.h5"
        with StoreWriter(path, **about) as writer:
            writer.add_group("patches", patches, _labels(patches), **ids)
            writer.add_group("whole", whole, _labels(whole), **ids)
        store = Store(path, cache_bytes=0)
        windows = np.random.default_rng(1).integers(0, 1024 - 128, (COUNT, 2)).tolist()
        with h5py.File(path, "r", locking=False, rdcc_nbytes=0) as raw:
            image, label = raw["patches/image"], raw["patches/label"]
            large, large_label = raw["whole/image"], raw["whole/label"]

            def ours_patches() -> None:
                for item in range(COUNT):
                    store.image("patches", item)
                    store.label("patches", item)

            def raw_patches() -> None:
                for item in range(COUNT):
                    _, _ = image[item], label[item]

            def ours_windows() -> None:
                for x, y in windows:
                    window = (x, y, x + 128, y + 128)
                    store.image("whole", 0, window)
                    store.label("whole", 0, window)

            def raw_windows() -> None:
                for x, y in windows:
                    _ = large[0, y : y + 128, x : x + 128]
                    _ = large_label[0, y : y + 128, x : x + 128]

            for name, ours, limit in (
                (f"store: {COUNT} patches of {SIZE} px", ours_patches, raw_patches),
                (f"store: {COUNT} windows of 128 px from 1024 px", ours_windows, raw_windows),
            ):
                rows.append(Row(name, best_of(ours), best_of(limit), "h5py, same chunks"))
        store.close()
    return rows

"""A tiny store of dark disks and ellipses on a light ground, and experiments on it."""

from pathlib import Path

import numpy as np
import yaml

from zoo.store.writer import StoreWriter

SIDE = 96
SAMPLES = {"class_path": "zoo.data.ObjectWindows", "init_args": {"side": 64}}


def blob_image(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Image (96, 96, 3) uint8 and instances (96, 96) int32 with four ellipses that do not touch."""
    rng = np.random.default_rng(seed)
    label = np.zeros((SIDE, SIDE), np.int32)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for number, (y, x) in enumerate([(24, 24), (24, 70), (70, 24), (70, 70)], 1):
        a, b = rng.integers(7, 14, 2)
        label[((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 <= 1] = 10 * number
    image = np.where(label[..., None] > 0, [110, 60, 150], [235, 215, 235])
    image = image + rng.normal(0, 12, image.shape)
    return image.clip(0, 255).astype(np.uint8), label


def write_store(path: Path, tests: int = 2) -> Path:
    """One training image, one to validate, and `tests` to test on, each of a patient of its own."""
    splits = ["train", "val", *["test"] * tests]
    with StoreWriter(
        path, dataset="Blobs", licence="CC0 1.0", citation="Nobody 2020", source_checksum="0" * 64
    ) as writer:
        for number, split in enumerate(splits):
            image, label = blob_image(number)
            writer.add_group(
                f"g{number}", image[None], label[None], slide=f"s{number}", patient=f"p{number}", split=split
            )
    return path


def write_experiment(
    path: Path, store: Path, method: str = "Watershed", oneshot: bool = False, **model: object
) -> Path:
    """An experiment YAML; interactive sessions have four turns."""
    protocol: dict[str, object] = {"class_path": "zoo.evaluation.OneShotProtocol"}
    if not oneshot:
        arguments = {"max_interactions": 4, "samples": SAMPLES}
        protocol = {"class_path": "zoo.evaluation.Interactive", "init_args": arguments}
    content = {
        "title": f"{method} <{'one' if oneshot else 'many'}>",
        "trainer": {"accelerator": "cpu"},
        "protocol": protocol,
        "model": {"class_path": f"zoo.methods.{method}", "init_args": model},
        "data": {"files": [str(store)], "batch_size": 3},
    }
    path.write_text(yaml.safe_dump(content))
    return path

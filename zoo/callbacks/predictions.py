"""What `zoo predict` writes: a label image or mask for every sample."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from numpy.typing import NDArray

from zoo.data.datasets import StoreDataset
from zoo.errors import DataError
from zoo.files import replacing
from zoo.images.labels import write_labels

LARGEST_PNG_ID = 65535


class PredictionWriter(BasePredictionWriter):
    """Writes what `predict_step` returns, (H, W) label maps by sample id, to files named after where samples come from.

    A name is the store's, the group's, the position in the group if it holds several images, and the object's id if
    the sample is an object: `slide-roi-3-object-17.png`. Ids above 65535 make it a TIFF.

    Args:
        folder: where to; it is made if missing.
    """

    def __init__(self, folder: str | Path) -> None:
        super().__init__("batch")
        self.folder = Path(folder)
        self._names: list[str] = []

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Name all samples.

        Raises:
            DataError: two samples would get one name, since two stores have it.
        """
        self._names = names(trainer.datamodule.datasets["test"])  # type: ignore[attr-defined]
        self.folder.mkdir(parents=True, exist_ok=True)

    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: dict[int, NDArray[np.integer]],
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Write a batch."""
        for sample_id, labels in prediction.items():
            suffix = ".png" if labels.max() <= LARGEST_PNG_ID else ".tif"
            path = self.folder / f"{self._names[sample_id]}{suffix}"
            with replacing(path) as temporary:
                write_labels(temporary, labels)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say where they are."""
        if trainer.is_global_zero:
            print(f"{len(self._names)} samples: {self.folder}")


def names(dataset: StoreDataset) -> list[str]:
    """A file name without suffix for every sample, in their order."""
    several = {(store.path.name, info.name) for store, info in dataset.sources if info.count > 1}
    out: dict[str, int] = {}
    for number in range(len(dataset)):
        place = dataset.describe(number)
        # A store of one image is often named as its only group.
        parts = dict.fromkeys((Path(str(place["file"])).stem, str(place["group"])))
        name = "-".join(parts)
        if (place["file"], place["group"]) in several:
            name += f"-{place['item']}"
        if "object" in place:
            name += f"-object-{place['object']}"
        if name in out:
            raise DataError(
                f"samples {out[name]} and {number} would both be written as {name!r}, since two stores are called "
                f"{place['file']}; give `data.files` one of them at a time, or rename one"
            )
        out[name] = number
    return list(out)

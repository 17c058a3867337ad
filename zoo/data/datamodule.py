"""The one datamodule: HDF5 stores to batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from zoo.data.batch import Batch, collate
from zoo.data.batches import Batches
from zoo.data.datasets import Samples, Selection, StoreDataset
from zoo.data.objects import ObjectWindows
from zoo.data.resident import Numbers, ResidentWindows
from zoo.data.sampler import EpochSampler
from zoo.data.transforms import Augment
from zoo.errors import ConfigError, DataError, SplitError
from zoo.files import shipped
from zoo.store.reader import Store, store_paths
from zoo.store.splits import check_splits


class PatchDataModule(LightningDataModule):
    """Training, validation and test samples from HDF5 stores, split by the groups' `split` attribute.

    A kind of samples is a class such as `zoo.data.ObjectWindows`, in an experiment a `class_path` with `init_args`, in
    Python the class itself or a `functools.partial` of it.

    Args:
        files: stores, folders of them or glob patterns.
        test_files: other stores for testing; None: `files`.
        train: kind of the training samples; None: `zoo.data.ObjectWindows`.
        val: kind of the validation samples, where it differs from the test's; None: `evaluated`.
        test_list: file that names one test sample a line, as the data set's `name` does; None for all of them.
        test_limit: only the first so many images in test; None for all.
        test_split: what testing means: the split `test`, or another one of `files` (`val`, `train`) while something is
            still chosen, such as by `zoo sweep`.
        batch_size: of training, and the largest in evaluation.
        num_workers: processes that load.
        augment: training augmentation.
        seed: of the shuffling.
        image_mpp: micrometres per pixel of images whose stores do not say theirs, for methods that work at a resolution
            of their own; None: they are taken for such.

    Attributes:
        evaluated: kind of the samples of validation and test: `samples` of the experiment's protocol; without one, the
            kind of the training samples.
    """

    def __init__(
        self,
        files: list[str],
        test_files: list[str] | None = None,
        train: Samples | None = None,
        val: Samples | None = None,
        test_list: str | None = None,
        test_limit: int | None = None,
        batch_size: int = 32,
        num_workers: int = 0,
        augment: Augment | None = None,
        seed: int = 0,
        image_mpp: float | None = None,
        test_split: Literal["train", "val", "test"] = "test",
    ) -> None:
        super().__init__()
        if test_limit is not None and test_limit < 1:
            raise ConfigError(f"data.test_limit {test_limit}: at least one image is needed; leave it out for all")
        self.save_hyperparameters()
        self.files, self.test_files = files, test_files
        self.train, self.val = train or ObjectWindows, val
        self.evaluated: Samples = self.train
        self.test_list, self.test_limit = test_list, test_limit
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed
        self.augment, self.image_mpp, self.test_split = augment, image_mpp, test_split
        self.datasets: dict[str, StoreDataset] = {}
        self._sampler: EpochSampler | None = None
        self._resumed: dict[str, int] = {}
        self._begun_at = 0

    def setup(self, stage: str) -> None:
        """Open the stores that a stage (`fit`, `validate`, `test`, `predict`) needs and check their splits."""
        wanted = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",), "predict": ("test",)}[stage]
        for split in wanted:
            others = self.test_files if split == self.test_split == "test" else None
            stores = open_stores(others or self.files)
            check_splits(stores)
            self.datasets[split] = self._dataset(stores, split)
            if not len(self.datasets[split]):
                name = self.test_split if split == "test" else split
                raise SplitError(f"{stores[0].path} and its like hold no samples of split {name!r}; check `files`")

    def _dataset(self, stores: Sequence[Store], split: str) -> StoreDataset:
        if split == "train":
            return self.train(Selection(stores, split, self.augment, mpp=self.image_mpp))
        if split == "val":
            return (self.val or self.evaluated)(Selection(stores, split, mpp=self.image_mpp))
        names = read_list(self.test_list) if self.test_list else None
        chosen = Selection(stores, self.test_split, names=names, limit=self.test_limit, mpp=self.image_mpp)
        dataset = self.evaluated(chosen)
        if names is not None and not {dataset.name(k) for k in range(len(dataset))} <= set(names):
            raise ConfigError(f"{self.test_list}: {type(dataset).__name__} samples others too; it can't follow a list")
        return dataset

    def patients(self, split: str) -> frozenset[str]:
        """`data set: patient` of a split that was set up; without those of data sets that are split by field."""
        return frozenset(
            f"{store.info.dataset}: {info.patient}"
            for store, info in self.datasets[split].sources
            if store.info.split_unit == "patient"
        )

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled, full batches, every rank its share."""
        trainer = self.trainer
        dataset = self.datasets["train"]
        sampler = EpochSampler(
            dataset,
            num_replicas=trainer.world_size if trainer else 1,
            rank=trainer.global_rank if trainer else 0,
            seed=self.seed,
        )
        if len(sampler) < self.batch_size:
            raise DataError(
                f"{len(dataset)} training samples do not fill a batch of {self.batch_size}; lower batch_size"
            )
        self._sampler, self._begun_at = sampler, 0
        if trainer:
            self._go_on(sampler, trainer.fit_loop.epoch_loop.batch_progress)
        return self._loader(dataset, self.batch_size, sampler, drop_last=True)

    def _go_on(self, sampler: EpochSampler, progress: Any) -> None:
        """Leave out what was seen of an epoch that a training was stopped in, and count its batches as ours."""
        before = progress.current.ready
        if not before or progress.is_last_batch:  # then the next epoch begins
            return
        seen = self._resumed.get("seen", before * self.batch_size * sampler.num_replicas)
        # Batches end the epoch when they are as many as the loader has: other processes or sizes make others.
        left = sampler.share(seen) // self.batch_size
        self._begun_at = len(sampler) // self.batch_size - left
        for name in ("ready", "started", "processed", "completed"):
            setattr(progress.current, name, getattr(progress.current, name) + self._begun_at - before)
        if left:
            sampler.skip = seen
        else:
            progress.is_last_batch = True

    def state_dict(self) -> dict[str, Any]:
        """How many samples of the epoch's order all processes have seen together."""
        if self._sampler is None or self.trainer is None:
            return {}
        sampler, ready = self._sampler, self.trainer.fit_loop.epoch_loop.batch_progress.current.ready
        before, begun_at = (sampler.skipped, self._begun_at) if sampler.skipped else (0, 0)
        return {"seen": before + (ready - begun_at) * self.batch_size * sampler.num_replicas}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Recall it; checkpoints of earlier versions are of as many processes as there are now."""
        self._resumed = dict(state_dict)

    def on_after_batch_transfer(self, batch: Batch | Tensor, dataloader_idx: int) -> Batch:
        """The windows of numbers, which `ResidentWindows` makes on the device."""
        if isinstance(batch, Batch):
            return batch
        dataset = self.datasets["train"]
        assert isinstance(dataset, ResidentWindows)
        return dataset.batch(batch)

    def val_dataloader(self) -> DataLoader[Batch]:
        """In order, in the batches that the data set asks for."""
        return self._loader(Batches(self.datasets["val"], self.batch_size), None)

    def test_dataloader(self) -> DataLoader[Batch]:
        """As `val_dataloader`."""
        return self._loader(Batches(self.datasets["test"], self.batch_size), None)

    predict_dataloader = test_dataloader

    def _loader(
        self,
        dataset: StoreDataset | Batches,
        batch_size: int | None,
        sampler: EpochSampler | None = None,
        drop_last: bool = False,
    ) -> DataLoader[Batch]:
        resident = isinstance(dataset, ResidentWindows)
        return DataLoader(
            Numbers() if resident else dataset,  # type: ignore[arg-type]
            batch_size=batch_size,
            sampler=sampler,
            num_workers=self.num_workers,
            collate_fn=torch.tensor if resident else collate,
            drop_last=drop_last,
            persistent_workers=self.num_workers > 0,
        )


def read_list(path: str) -> list[str]:
    """The lines of a file without empty ones and comments (#).

    Raises:
        DataError: it can't be read, names nothing, or something twice.
    """
    try:
        lines = [line.strip() for line in shipped(Path(path)).read_text().splitlines()]
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: can't be read ({error}); correct `data.test_list`") from None
    names = [line for line in lines if line and not line.startswith("#")]
    if not names:
        raise DataError(f"{path}: names no window or object; one a line is needed")
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise DataError(f"{path}: names {twice} twice; a sample counts once")
    return names


def open_stores(patterns: Sequence[str]) -> list[Store]:
    """The stores that the paths, folders and glob patterns name, each once, sorted by path.

    Raises:
        DataError: there is no pattern, or one matches nothing.
    """
    if not patterns:
        raise DataError("no stores to read; name files or glob patterns in `data.files`")
    paths = sorted({path for pattern in patterns for path in store_paths(pattern)})
    one_each = {path.resolve(): path for path in reversed(paths)}  # of two paths to a store the first
    return [Store(path) for path in sorted(one_each.values())]

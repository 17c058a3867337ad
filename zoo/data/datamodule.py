"""The one datamodule: HDF5 stores to batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from lightning import LightningDataModule
from torch.utils.data import DataLoader, DistributedSampler

from zoo.data.batch import Batch, Samples, collate
from zoo.data.datasets import StoreDataset, WholeImages
from zoo.data.disagreement import Disagreement
from zoo.data.equal_sizes import EqualSizes
from zoo.data.objects import ObjectsInImages, ObjectWindows
from zoo.data.transforms import Augment
from zoo.data.windows import RegionWindows, Share
from zoo.errors import ConfigError, DataError, SplitError
from zoo.store.reader import Store, store_paths
from zoo.store.splits import check_splits


class EpochSampler(DistributedSampler[int]):
    """Shuffles every epoch and tells the data set which epoch it is: index = sample + epoch * length.

    `skip` samples of the first epoch are left out: those that a killed training had already seen.
    """

    skip = 0

    def __iter__(self) -> Iterator[int]:
        length = len(self.dataset)  # type: ignore[arg-type]
        skip, self.skip = self.skip, 0
        return (index + self.epoch * length for index in islice(super().__iter__(), skip, None))


class PatchDataModule(LightningDataModule):
    """Training, validation and test samples from HDF5 stores, split by the groups' `split` attribute.

    Args:
        files: stores, folders of them or glob patterns.
        test_files: other stores for testing; None: `files`.
        train_samples: `objects` (a window around each object), `objects_in_images` (each object in its whole image),
            `images` (whole images or stored patches) or `windows` (of region images: at random places in training, on a
            grid in evaluation).
        eval_samples: the same for validation and test; the protocol decides, when there is one.
        side: side of the windows in training, in pixels.
        eval_side: side of the windows in validation and test; None: `side`.
        shift: how far a window's centre may lie from its object's, in pixels.
        min_area: objects of fewer pixels are left out (not from whole images).
        val_per_image: at most so many objects of an image in validation; None for all.
        test_per_image: the same in test.
        per_image: random windows of an image in an epoch, for training on `windows`.
        stride: of the grid of `windows` in evaluation, in pixels; None: half a side.
        min_positive: smallest share of the region in a window.
        max_positive: largest share.
        test_list: file that names one object of the test split, or one window of the test's grid, a line; None for
            all of them.
        test_limit: only the first so many images in test; None for all.
        batch_size: of training and, but for `images`, of evaluation.
        num_workers: processes that load.
        augment: training augmentation.
        disagreement: for training on `windows`: turns parts of the targets over, so that the user has to be heard.
        seed: of the shuffling.
    """

    def __init__(
        self,
        files: list[str],
        test_files: list[str] | None = None,
        train_samples: Samples = "objects",
        eval_samples: Samples = "objects",
        side: int = 128,
        eval_side: int | None = None,
        shift: int = 0,
        min_area: int = 1,
        val_per_image: int | None = None,
        test_per_image: int | None = None,
        per_image: int = 1,
        stride: int | None = None,
        min_positive: float = 0.0,
        max_positive: float = 1.0,
        test_list: str | None = None,
        test_limit: int | None = None,
        batch_size: int = 32,
        num_workers: int = 0,
        augment: Augment | None = None,
        disagreement: Disagreement | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.files, self.test_files = files, test_files
        self.train_samples, self.eval_samples = train_samples, eval_samples
        self.side, self.eval_side, self.shift = side, eval_side or side, shift
        self.min_area = min_area
        self.val_per_image, self.test_per_image = val_per_image, test_per_image
        self.per_image, self.stride = per_image, stride
        self.share = Share(min_positive, max_positive)
        self.test_list, self.test_limit = test_list, test_limit
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed
        self.augment, self.disagreement = augment, disagreement
        self.datasets: dict[str, StoreDataset] = {}

    def setup(self, stage: str) -> None:
        """Open the stores that a stage (`fit`, `validate`, `test`, `predict`) needs and check their splits."""
        wanted = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",), "predict": ("test",)}[stage]
        for split in wanted:
            stores = open_stores(self.test_files if self.test_files and split == "test" else self.files)
            check_splits(stores)
            self.datasets[split] = self._dataset(stores, split)
            if not len(self.datasets[split]):
                raise SplitError(f"{stores[0].path} and its like hold no samples of split {split!r}; check `files`")

    def _dataset(self, stores: Sequence[Store], split: str) -> StoreDataset:
        training = split == "train"
        augment = self.augment if training else None
        limit = self.test_limit if split == "test" else None
        samples = self.train_samples if training else self.eval_samples
        side = self.side if training else self.eval_side
        names = read_list(self.test_list) if split == "test" and self.test_list else None
        if names and samples == "images":
            raise ConfigError("test_list names windows or objects, but the samples are images; use another protocol")
        if samples == "images":
            return WholeImages(stores, split, augment, limit=limit)
        if samples == "windows":
            stride = None if training else max(side // 2, 1) if self.stride is None else self.stride
            disagreement = self.disagreement if training else None
            return RegionWindows(
                stores, split, side, stride, self.per_image, self.share, names, augment, disagreement, limit
            )
        per_image = {"train": None, "val": self.val_per_image, "test": self.test_per_image}[split]
        if samples == "objects_in_images":
            return ObjectsInImages(stores, split, self.min_area, per_image, names, augment, limit=limit)
        return ObjectWindows(stores, split, side, self.shift, self.min_area, per_image, names, augment, limit=limit)

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
        if trainer:
            sampler.skip = trainer.fit_loop.epoch_loop.batch_progress.current.ready * self.batch_size
        return self._loader(dataset, self.batch_size, sampler, drop_last=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        """In order; whole images one at a time, objects in images in batches of one image size."""
        return self._eval_loader("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        """As `val_dataloader`."""
        return self._eval_loader("test")

    predict_dataloader = test_dataloader

    def _eval_loader(self, split: str) -> DataLoader[Batch]:
        dataset = self.datasets[split]
        if isinstance(dataset, ObjectsInImages):
            return self._loader(EqualSizes(dataset, self.batch_size), None)
        return self._loader(dataset, 1 if self.eval_samples == "images" else self.batch_size)

    def _loader(
        self,
        dataset: StoreDataset | EqualSizes,
        batch_size: int | None,
        sampler: EpochSampler | None = None,
        drop_last: bool = False,
    ) -> DataLoader[Batch]:
        return DataLoader(
            dataset,  # type: ignore[arg-type]
            batch_size=batch_size,
            sampler=sampler,
            num_workers=self.num_workers,
            collate_fn=collate,
            drop_last=drop_last,
            persistent_workers=self.num_workers > 0,
        )


def read_list(path: str) -> list[str]:
    """The lines of a file without empty ones and comments (#).

    Raises:
        DataError: it can't be read, names nothing, or something twice.
    """
    try:
        lines = [line.strip() for line in Path(path).read_text().splitlines()]
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
    """The stores that the paths, folders and glob patterns name, sorted by path.

    Raises:
        DataError: there is no pattern, or one matches nothing.
    """
    if not patterns:
        raise DataError("no stores to read; name files or glob patterns in `data.files`")
    return [Store(path) for path in sorted({path for pattern in patterns for path in store_paths(pattern)})]

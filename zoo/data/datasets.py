"""Kinds of samples from stores: what all have in common, and whole images or patches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from zoo.data.batch import Sample
from zoo.data.transforms import Augment
from zoo.errors import DataError
from zoo.ops.draws import Draw
from zoo.ops.random import uniform
from zoo.store.reader import Store
from zoo.store.schema import IGNORE

Pixels = tuple[NDArray[np.uint8], NDArray[np.integer]]


@dataclass(frozen=True)
class Selection:
    """What a data set takes its samples from, whatever their kind; the datamodule gives it.

    Attributes:
        stores: where to read from.
        split: the groups' split.
        augment: changes image and labels together, seeded per sample and epoch.
        names: only the samples of these names (see `StoreDataset.name`), in this order; None for all.
        limit: only the samples of the first so many images; with `names`, of those that they are from. None for all.
        mpp: micrometres per pixel of images whose stores do not say theirs; None: unknown.
    """

    stores: Sequence[Store]
    split: str
    augment: Augment | None = None
    names: Sequence[str] | None = None
    limit: int | None = None
    mpp: float | None = None


class StoreDataset(Dataset[Sample], ABC):
    """Samples of the groups of one split, in a fixed order: a sample's id is its position.

    A kind of samples is a class of its own, which an experiment names by `class_path`. Its first argument is the
    selection; what else decides its samples are arguments with a default. An index of `n + epoch * len(dataset)` gives
    sample `n` with the randomness of that epoch.

    Args:
        selection: what to take samples from.

    Attributes:
        kind: as results print it; only results of one kind are compared. A class without its own prints its name.
        sources: stores and their groups of the split.
        items: source and item of each image.
        image_ids: the position in `items` by source and item.
        cached_images: how many whole images to keep in memory; several windows are read from each.
    """

    kind: str
    cached_images = 64

    def __init__(self, selection: Selection) -> None:
        self.split, self.augment, self.assumed_mpp = selection.split, selection.augment, selection.mpp
        self.sources = [
            (store, info) for store in selection.stores for info in store.groups if info.split == selection.split
        ]
        items = [(number, item) for number, (_, info) in enumerate(self.sources) for item in range(info.count)]
        # With names it counts the images that these are from.
        self.items = items[: selection.limit if selection.names is None else None]
        self.image_ids = {place: number for number, place in enumerate(self.items)}
        self._cached: Any = None

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def sample(self, number: int, epoch: int) -> Sample:
        """Sample `number` with the randomness of `epoch`."""

    @abstractmethod
    def describe(self, number: int) -> dict[str, str | int]:
        """Where a sample comes from: file, group, slide, patient, item and, for objects, its id."""

    def name(self, number: int) -> str:
        """What a committed list calls a sample: `file/group/item`, and what tells it from others of its image."""
        place = self.describe(number)
        return f"{Path(str(place['file'])).stem}/{place['group']}/{place['item']}"

    def batches(self, batch_size: int) -> list[list[int]]:
        """The samples of each batch in evaluation, all once: so many at most, and images of one size."""
        return chunks(range(len(self)), batch_size)

    def __getitem__(self, index: int) -> Sample:
        epoch, number = divmod(int(index), len(self))
        return replace(self.sample(number, epoch), mpp=self.mpp(number))

    def mpp(self, number: int) -> float | None:
        """Micrometres per pixel of a sample's image, as its store has it, or as the selection says where it has not."""
        stored = self.sources[self.image_of(number)[0]][1].mpp
        return self.assumed_mpp if stored is None else stored

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_cached": None}

    @abstractmethod
    def image_of(self, number: int) -> tuple[int, int]:
        """Selection and item of a sample's image."""

    def listed(self, selection: Selection, what: str, hint: str) -> list[int]:
        """Numbers of the samples that the selection names, in this order; all of them where it names none.

        Raises:
            DataError: there is no sample of a name: so many are `what`, and a `hint`; or there are several.
        """
        names = selection.names
        if names is None:
            return list(range(len(self)))
        known: dict[str, list[int]] = {}
        for number in range(len(self)):
            known.setdefault(self.name(number), []).append(number)
        missing = [name for name in names if name not in known]
        if missing:
            raise DataError(f"{len(missing)} of {len(names)} {what}, {missing[0]!r} first; {hint}")
        several = [name for name in names if len(known[name]) > 1]
        if several:
            files = sorted(
                {str(store.path) for store, _ in self.sources if store.path.stem == several[0].split("/")[0]}
            )
            raise DataError(
                f"{' and '.join(files)}: a list names {several[0]!r}, which is in each of them; rename a store"
            )
        numbers = [known[name][0] for name in names]
        images = sorted({self.image_of(number) for number in numbers})[: selection.limit]
        return [number for number in numbers if self.image_of(number) in images]

    def place(self, source: int, item: int) -> dict[str, str | int]:
        """What `describe` says of an image."""
        store, info = self.sources[source]
        return {
            "file": store.path.name,
            "group": info.name,
            "slide": info.slide,
            "patient": info.patient,
            "item": item,
        }

    def whole(self, source: int, item: int) -> Pixels:
        """Image (H, W, 3) and label (H, W), as they are stored."""
        if self._cached is None:
            self._cached = lru_cache(self.cached_images)(self._read)
        pixels: Pixels = self._cached(source, item)
        return pixels

    def _read(self, source: int, item: int) -> Pixels:
        store, info = self.sources[source]
        return store.image(info.name, item), store.label(info.name, item)

    def augmented(self, pixels: Pixels, number: int, epoch: int) -> Pixels:
        """A sample's image and label as a training sees them in an epoch."""
        if self.augment is None:
            return pixels
        seed = int(drawn_number(number, epoch, 0, Draw.AUGMENT) * 2**31)
        return self.augment(*pixels, seed)

    def _regions(self, source: int) -> bool:
        return self.sources[source][0].info.labels == "region"


class WholeImages(StoreDataset):
    """One sample an image or patch: its objects together, or its region. In evaluation they come one at a time.

    Args:
        selection: stores of instances or regions.

    Raises:
        DataError: there is no image of a name.
    """

    kind = "images"

    def __init__(self, selection: Selection) -> None:
        super().__init__(selection)
        numbers = self.listed(selection, "listed images are not in the data", "objects and windows are other samples")
        self.items = [self.items[number] for number in numbers]

    def batches(self, batch_size: int) -> list[list[int]]:
        """One image each: their sizes may differ."""
        return chunks(range(len(self)), 1)

    def __len__(self) -> int:
        return len(self.items)

    def describe(self, number: int) -> dict[str, str | int]:
        """Where a sample comes from."""
        return self.place(*self.items[number])

    def image_of(self, number: int) -> tuple[int, int]:
        """Source and item of the image."""
        return self.items[number]

    def sample(self, number: int, epoch: int) -> Sample:
        """One image; the target is everything that is labelled."""
        source, item = self.items[number]
        image, label = self.augmented(self.whole(source, item), number, epoch)
        if self._regions(source):
            return Sample(image, (label > 0) & (label != IGNORE), None, label == IGNORE, 0, number, number)
        return Sample(image, label > 0, label.astype(np.int64), None, 0, number, number)


Samples = Callable[[Selection], StoreDataset]
"""What makes the data set of a selection: a class of samples, or a `functools.partial` of one."""


def kind_name(kind: Samples) -> str:
    """What results call a kind of samples: its class's own `kind`, or the name of the class."""
    # The command line's partial is one of a function whose first argument is the class.
    parts = (kind.func, *kind.args) if isinstance(kind, partial) else (kind,)
    for part in parts:
        if isinstance(part, type) and issubclass(part, StoreDataset):
            return str(vars(part).get("kind") or part.__name__)
    return str(getattr(parts[0], "__name__", type(parts[0]).__name__))


def chunks(numbers: Sequence[int], size: int) -> list[list[int]]:
    """The numbers in their order, `size` at a time; the last ones may be fewer."""
    return [list(numbers[start : start + size]) for start in range(0, len(numbers), size)]


def drawn_number(number: int, epoch: int, attempt: int, draw: Draw) -> float:
    """Uniform in [0, 1), from a sample's number and the epoch."""
    return float(uniform(torch.tensor([number]), epoch, attempt, draw))

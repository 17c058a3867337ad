"""Samples from stores: what all have in common, and whole images or patches."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import lru_cache
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


class StoreDataset(Dataset[Sample]):
    """Samples of the groups of one split, in a fixed order: a sample's id is its position.

    An index of `n + epoch * len(dataset)` gives sample `n` with the randomness of that epoch.

    Args:
        stores: where to read from.
        split: the groups' split.
        augment: changes image and labels together, seeded per sample and epoch.
        cached_images: how many whole images to keep in memory; several windows are read from each.
        limit: only the first so many images; None for all.
    """

    def __init__(
        self,
        stores: Sequence[Store],
        split: str,
        augment: Augment | None = None,
        cached_images: int = 64,
        limit: int | None = None,
    ) -> None:
        self.sources = [(store, info) for store in stores for info in store.groups if info.split == split]
        self.split = split
        self.augment = augment
        self.cached_images = cached_images
        items = [(source, item) for source, (_, info) in enumerate(self.sources) for item in range(info.count)]
        self._items = items[:limit]
        self._item_of = {place: number for number, place in enumerate(self._items)}
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

    def __getitem__(self, index: int) -> Sample:
        epoch, number = divmod(int(index), len(self))
        return self.sample(number, epoch)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_cached": None}

    @abstractmethod
    def _image_of(self, number: int) -> tuple[int, int]:
        """Source and item of a sample's image."""

    def _listed(self, names: Sequence[str], limit: int | None, what: str, hint: str) -> list[int]:
        """Numbers of the samples of these names, in this order; only of the first so many images among theirs.

        Raises:
            DataError: there is no sample of a name: so many are `what`, and a `hint`.
        """
        known = {self.name(number): number for number in range(len(self))}
        missing = [name for name in names if name not in known]
        if missing:
            raise DataError(f"{len(missing)} of {len(names)} {what}, {missing[0]!r} first; {hint}")
        numbers = [known[name] for name in names]
        images = sorted({self._image_of(number) for number in numbers})[:limit]
        return [number for number in numbers if self._image_of(number) in images]

    def _place(self, source: int, item: int) -> dict[str, str | int]:
        store, info = self.sources[source]
        return {
            "file": store.path.name,
            "group": info.name,
            "slide": info.slide,
            "patient": info.patient,
            "item": item,
        }

    def _whole(self, source: int, item: int) -> Pixels:
        if self._cached is None:
            self._cached = lru_cache(self.cached_images)(self._read)
        pixels: Pixels = self._cached(source, item)
        return pixels

    def _read(self, source: int, item: int) -> Pixels:
        store, info = self.sources[source]
        return store.image(info.name, item), store.label(info.name, item)

    def _augmented(self, pixels: Pixels, number: int, epoch: int) -> Pixels:
        if self.augment is None:
            return pixels
        seed = int(drawn_number(number, epoch, 0, Draw.AUGMENT) * 2**31)
        return self.augment(*pixels, seed)

    def _regions(self, source: int) -> bool:
        return self.sources[source][0].info.labels == "region"


class WholeImages(StoreDataset):
    """One sample an image or patch: its objects together, or its region."""

    def __len__(self) -> int:
        return len(self._items)

    def describe(self, number: int) -> dict[str, str | int]:
        """Where a sample comes from."""
        return self._place(*self._items[number])

    def _image_of(self, number: int) -> tuple[int, int]:
        return self._items[number]

    def sample(self, number: int, epoch: int) -> Sample:
        """One image; the target is everything that is labelled."""
        source, item = self._items[number]
        image, label = self._augmented(self._whole(source, item), number, epoch)
        if self._regions(source):
            return Sample(image, (label > 0) & (label != IGNORE), None, label == IGNORE, 0, number, number)
        return Sample(image, label > 0, label.astype(np.int64), None, 0, number, number)


def drawn_number(number: int, epoch: int, attempt: int, draw: Draw) -> float:
    """Uniform in [0, 1), from a sample's number and the epoch."""
    return float(uniform(torch.tensor([number]), epoch, attempt, draw))

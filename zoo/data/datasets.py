"""Samples from stores: windows around objects, and whole images or patches."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from zoo.data.batch import Sample
from zoo.data.schema import IGNORE, GroupInfo
from zoo.data.store import Store
from zoo.data.transforms import Augment
from zoo.errors import ConfigError, DataError
from zoo.ops.random import uniform

SHIFT_X_DRAW, SHIFT_Y_DRAW, AUGMENT_DRAW, CHOICE_DRAW = 2_000_003, 2_000_004, 2_000_005, 2_000_006
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

    def __getitem__(self, index: int) -> Sample:
        epoch, number = divmod(int(index), len(self))
        return self.sample(number, epoch)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_cached": None}

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
        seed = int(drawn_number(number, epoch, 0, AUGMENT_DRAW) * 2**31)
        return self.augment(*pixels, seed)

    def _regions(self, source: int) -> bool:
        return self.sources[source][0].info.labels == "region"


class ObjectWindows(StoreDataset):
    """One sample an object: a square window around it, moved inside the image.

    Args:
        stores: stores of instances.
        split: the groups' split.
        side: width and height of the window in pixels.
        shift: the window's centre is moved by up to this many pixels both ways, uniformly, seeded per sample and
            epoch, so that the middle of the window does not give the object away; less than half of `side`.
        min_area: objects of fewer pixels are left out.
        per_image: at most so many objects of an image; None for all. Which ones depends on nothing but their ids, the
            image's position in its group and the group's name.
        augment: changes image and labels together.
        cached_images: how many whole images to keep in memory.
        limit: only the objects of the first so many images; None for all.

    Raises:
        ConfigError: the shift is so large that a window could miss its object.
        DataError: the labels are regions, or an image is smaller than the window.
    """

    def __init__(
        self,
        stores: Sequence[Store],
        split: str,
        side: int,
        shift: int = 0,
        min_area: int = 1,
        per_image: int | None = None,
        augment: Augment | None = None,
        cached_images: int = 64,
        limit: int | None = None,
    ) -> None:
        super().__init__(stores, split, augment, cached_images, limit)
        if not 0 <= shift <= (side - 1) // 2:
            raise ConfigError(
                f"shift={shift} does not fit windows of {side} px: the object's middle would lie outside; give "
                f"0 to {(side - 1) // 2}"
            )
        self.side, self.shift = side, shift
        rows: list[tuple[int, ...]] = []
        for source, (store, info) in enumerate(self.sources):
            self._check(store, info)
            objects = store.objects(info.name)
            objects = objects[objects["area"] >= min_area]
            objects = _drawn(objects, per_image, info.name)
            rows += [
                (source, *(int(row[k]) for k in ("item", "id", "x0", "y0", "x1", "y1")))
                for row in objects
                if (source, row["item"]) in self._item_of
            ]
        self._objects = np.array(rows, np.int64).reshape(-1, 7)

    def _check(self, store: Store, info: GroupInfo) -> None:
        if store.info.labels == "region":
            raise DataError(
                f"{store.path}: labels are regions; use train_samples: images or windows, and eval_samples too"
            )
        if min(info.height, info.width) < self.side:
            raise DataError(
                f"{store.path}, group {info.name!r}: windows of {self.side} px do not fit images of "
                f"{info.width}x{info.height} px; choose a smaller side"
            )

    def __len__(self) -> int:
        return len(self._objects)

    def describe(self, number: int) -> dict[str, str | int]:
        """Where a sample comes from; x0, y0 is the window's top-left corner in the image, in pixels."""
        source, item, object_id = (int(v) for v in self._objects[number, :3])
        x0, y0 = self._corner(number, epoch=0)
        return self._place(source, item) | {"object": object_id, "x0": x0, "y0": y0}

    def sample(self, number: int, epoch: int) -> Sample:
        """The window of one object."""
        source, item, object_id = (int(v) for v in self._objects[number, :3])
        image, label = self._whole(source, item)
        x0, y0 = self._corner(number, epoch)
        window = np.s_[y0 : y0 + self.side, x0 : x0 + self.side]
        image, label = self._augmented((image[window], label[window]), number, epoch)
        instances = label.astype(np.int64)
        target = instances == object_id
        return Sample(image, target, instances, None, object_id, number, self._item_of[source, item])

    def _corner(self, number: int, epoch: int) -> tuple[int, int]:
        source, _, _, bx0, by0, bx1, by1 = (int(v) for v in self._objects[number])
        info = self.sources[source][1]
        x0 = self._edge((bx0 + bx1) // 2, info.width, drawn_number(number, epoch, 0, SHIFT_X_DRAW))
        y0 = self._edge((by0 + by1) // 2, info.height, drawn_number(number, epoch, 0, SHIFT_Y_DRAW))
        return x0, y0

    def _edge(self, centre: int, length: int, draw: float) -> int:
        shift = int(draw * (2 * self.shift + 1)) - self.shift
        return min(max(centre + shift - self.side // 2, 0), length - self.side)


class WholeImages(StoreDataset):
    """One sample an image or patch: its objects together, or its region."""

    def __len__(self) -> int:
        return len(self._items)

    def describe(self, number: int) -> dict[str, str | int]:
        """Where a sample comes from."""
        return self._place(*self._items[number])

    def sample(self, number: int, epoch: int) -> Sample:
        """One image; the target is everything that is labelled."""
        source, item = self._items[number]
        image, label = self._augmented(self._whole(source, item), number, epoch)
        if self._regions(source):
            return Sample(image, (label > 0) & (label != IGNORE), None, label == IGNORE, 0, number, number)
        return Sample(image, label > 0, label.astype(np.int64), None, 0, number, number)


def drawn_number(number: int, epoch: int, attempt: int, draw: int) -> float:
    """Uniform in [0, 1), from a sample's number and the epoch."""
    return float(uniform(torch.tensor([number]), epoch, attempt, draw))


def _drawn(objects: NDArray[Any], count: int | None, group: str) -> NDArray[Any]:
    """At most `count` objects of each item, in their order."""
    if count is None:
        return objects
    ids, items = (torch.from_numpy(objects[name].astype(np.int64)) for name in ("id", "item"))
    priority = uniform(ids, items, crc32(group.encode()), CHOICE_DRAW).numpy()
    keep = np.zeros(len(objects), bool)
    for item in np.unique(objects["item"]):
        members = np.flatnonzero(objects["item"] == item)
        keep[members[np.argsort(priority[members], kind="stable")[:count]]] = True
    return objects[keep]

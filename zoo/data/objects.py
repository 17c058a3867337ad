"""Samples that are objects: in a window around each, or in its whole image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.data.batch import Sample
from zoo.data.datasets import Pixels, StoreDataset, drawn_number
from zoo.data.transforms import Augment
from zoo.errors import ConfigError, DataError
from zoo.ops.draws import Draw
from zoo.ops.random import uniform
from zoo.store.reader import Store
from zoo.store.schema import GroupInfo


class Objects(StoreDataset):
    """One sample an object.

    Args:
        stores: stores of instances.
        split: the groups' split.
        min_area: objects of fewer pixels are left out as targets; they stay in the images.
        per_image: at most so many objects of an image; None for all. Which ones depends on nothing but their ids, the
            image's position in its group and the group's name.
        names: only the objects of these names (see `name`), in this order; None for all.
        augment: changes image and labels together.
        cached_images: how many whole images to keep in memory.
        limit: only the objects of the first so many images; with `names`, of those that it names. None for all.

    Raises:
        DataError: the labels are regions, or there is no object of a name.
    """

    def __init__(
        self,
        stores: Sequence[Store],
        split: str,
        min_area: int = 1,
        per_image: int | None = None,
        names: Sequence[str] | None = None,
        augment: Augment | None = None,
        cached_images: int = 64,
        limit: int | None = None,
    ) -> None:
        super().__init__(stores, split, augment, cached_images, limit if names is None else None)
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
        if names is not None:
            hint = "use the stores, min_area and number of objects an image that the list was made with"
            self._objects = self._objects[self._listed(names, limit, "listed objects are not in the data", hint)]

    def _check(self, store: Store, info: GroupInfo) -> None:
        if store.info.labels == "region":
            raise DataError(
                f"{store.path}: labels are regions; use train_samples: images or windows, and eval_samples too"
            )

    def __len__(self) -> int:
        return len(self._objects)

    def name(self, number: int) -> str:
        """What a committed list calls an object: `file/group/item/object`."""
        return f"{super().name(number)}/{self._objects[number, 2]}"

    def _image_of(self, number: int) -> tuple[int, int]:
        source, item = (int(v) for v in self._objects[number, :2])
        return source, item

    def _sample(self, pixels: Pixels, number: int, epoch: int) -> Sample:
        """The sample of pixels that hold the object."""
        image, label = self._augmented(pixels, number, epoch)
        instances = label.astype(np.int64)
        object_id = int(self._objects[number, 2])
        image_id = self._item_of[self._image_of(number)]
        return Sample(image, instances == object_id, instances, None, object_id, number, image_id)


class ObjectsInImages(Objects):
    """One sample an object, in its whole image: nothing tells where it is but what the user says."""

    def size(self, number: int) -> tuple[int, int]:
        """Height and width of a sample's image, in pixels."""
        info = self.sources[self._image_of(number)[0]][1]
        return info.height, info.width

    def describe(self, number: int) -> dict[str, str | int]:
        """Where a sample comes from."""
        return self._place(*self._image_of(number)) | {"object": int(self._objects[number, 2])}

    def sample(self, number: int, epoch: int) -> Sample:
        """The image with one of its objects as target."""
        return self._sample(self._whole(*self._image_of(number)), number, epoch)


class ObjectWindows(Objects):
    """One sample an object: a square window around it, moved inside the image.

    Args:
        side: width and height of the window in pixels.
        shift: the window's centre is moved by up to this many pixels both ways, uniformly, seeded per sample and
            epoch, so that the middle of the window does not give the object away; less than half of `side`.

    The other arguments are those of `Objects`.

    Raises:
        ConfigError: the shift is so large that a window could miss its object.
        DataError: an image is smaller than the window.
    """

    def __init__(
        self,
        stores: Sequence[Store],
        split: str,
        side: int,
        shift: int = 0,
        min_area: int = 1,
        per_image: int | None = None,
        names: Sequence[str] | None = None,
        augment: Augment | None = None,
        cached_images: int = 64,
        limit: int | None = None,
    ) -> None:
        if not 0 <= shift <= (side - 1) // 2:
            raise ConfigError(
                f"shift={shift} does not fit windows of {side} px: the object's middle would lie outside; give "
                f"0 to {(side - 1) // 2}"
            )
        self.side, self.shift = side, shift
        super().__init__(stores, split, min_area, per_image, names, augment, cached_images, limit)

    def _check(self, store: Store, info: GroupInfo) -> None:
        super()._check(store, info)
        if min(info.height, info.width) < self.side:
            raise DataError(
                f"{store.path}, group {info.name!r}: windows of {self.side} px do not fit images of "
                f"{info.width}x{info.height} px; choose a smaller side"
            )

    def describe(self, number: int) -> dict[str, str | int]:
        """Where a sample comes from; x0, y0 is the window's top-left corner in the image, in pixels."""
        x0, y0 = self._corner(number, epoch=0)
        place = self._place(*self._image_of(number))
        return place | {"object": int(self._objects[number, 2]), "x0": x0, "y0": y0}

    def sample(self, number: int, epoch: int) -> Sample:
        """The window of one object."""
        image, label = self._whole(*self._image_of(number))
        x0, y0 = self._corner(number, epoch)
        window = np.s_[y0 : y0 + self.side, x0 : x0 + self.side]
        return self._sample((image[window], label[window]), number, epoch)

    def _corner(self, number: int, epoch: int) -> tuple[int, int]:
        source, _, _, bx0, by0, bx1, by1 = (int(v) for v in self._objects[number])
        info = self.sources[source][1]
        x0 = self._edge((bx0 + bx1) // 2, info.width, drawn_number(number, epoch, 0, Draw.OBJECT_SHIFT_X))
        y0 = self._edge((by0 + by1) // 2, info.height, drawn_number(number, epoch, 0, Draw.OBJECT_SHIFT_Y))
        return x0, y0

    def _edge(self, centre: int, length: int, draw: float) -> int:
        shift = int(draw * (2 * self.shift + 1)) - self.shift
        return min(max(centre + shift - self.side // 2, 0), length - self.side)


def _drawn(objects: NDArray[Any], count: int | None, group: str) -> NDArray[Any]:
    """At most `count` objects of each item, in their order."""
    if count is None:
        return objects
    ids, items = (torch.from_numpy(objects[name].astype(np.int64)) for name in ("id", "item"))
    priority = uniform(ids, items, crc32(group.encode()), Draw.OBJECT_CHOICE).numpy()
    keep = np.zeros(len(objects), bool)
    for item in np.unique(objects["item"]):
        members = np.flatnonzero(objects["item"] == item)
        keep[members[np.argsort(priority[members], kind="stable")[:count]]] = True
    return objects[keep]

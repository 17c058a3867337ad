"""Samples that are objects: in a window around each, or in its whole image."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.data.batch import Sample
from zoo.data.datasets import Pixels, Selection, StoreDataset, chunks, drawn_number
from zoo.errors import ConfigError, DataError
from zoo.ops.draws import Draw
from zoo.ops.random import uniform
from zoo.store.reader import Store
from zoo.store.schema import GroupInfo


class Objects(StoreDataset):
    """One sample an object.

    Args:
        selection: stores of instances.
        min_area: objects of fewer pixels are left out as targets; they stay in the images.
        per_image: at most so many objects of an image; None for all. Which ones depends on nothing but their ids, the
            image's position in its group and the group's name.

    Raises:
        DataError: the labels are regions, or there is no object of a name.
    """

    def __init__(self, selection: Selection, min_area: int = 1, per_image: int | None = None) -> None:
        super().__init__(selection)
        rows: list[tuple[int, ...]] = []
        for number, (store, info) in enumerate(self.sources):
            self._check(store, info)
            objects = store.objects(info.name)
            objects = objects[objects["area"] >= min_area]
            objects = _drawn(objects, per_image, info.name)
            rows += [
                (number, *(int(row[k]) for k in ("item", "id", "x0", "y0", "x1", "y1")))
                for row in objects
                if (number, row["item"]) in self.image_ids
            ]
        self._objects = np.array(rows, np.int64).reshape(-1, 7)
        hint = "use the stores, min_area and number of objects an image that the list was made with"
        self._objects = self._objects[self.listed(selection, "listed objects are not in the data", hint)]

    def _check(self, store: Store, info: GroupInfo) -> None:
        if store.info.labels == "region":
            raise DataError(
                f"{store.path}: labels are regions, which have no objects; use zoo.data.WholeImages, or GridWindows "
                "(RandomWindows in training)"
            )

    def __len__(self) -> int:
        return len(self._objects)

    def name(self, number: int) -> str:
        """What a committed list calls an object: `file/group/item/object`."""
        return f"{super().name(number)}/{self._objects[number, 2]}"

    def image_of(self, number: int) -> tuple[int, int]:
        """Source and item of the image."""
        source, item = (int(v) for v in self._objects[number, :2])
        return source, item

    def _sample(self, pixels: Pixels, number: int, epoch: int) -> Sample:
        """The sample of pixels that hold the object."""
        image, label = self.augmented(pixels, number, epoch)
        instances = label.astype(np.int64)
        object_id = int(self._objects[number, 2])
        image_id = self.image_ids[self.image_of(number)]
        return Sample(image, instances == object_id, instances, None, object_id, number, image_id)


class ObjectsInImages(Objects):
    """One sample an object, in its whole image: nothing tells where it is but what the user says."""

    kind = "objects_in_images"

    def batches(self, batch_size: int) -> list[list[int]]:
        """Those on images of one size together; within a size in their order."""
        of_size: dict[tuple[int, int], list[int]] = {}
        for number in range(len(self)):
            of_size.setdefault(self.size(number), []).append(number)
        return [batch for numbers in of_size.values() for batch in chunks(numbers, batch_size)]

    def size(self, number: int) -> tuple[int, int]:
        """Height and width of a sample's image, in pixels."""
        info = self.sources[self.image_of(number)[0]][1]
        return info.height, info.width

    def describe(self, number: int) -> dict[str, str | int]:
        """Where a sample comes from."""
        return self.place(*self.image_of(number)) | {"object": int(self._objects[number, 2])}

    def sample(self, number: int, epoch: int) -> Sample:
        """The image with one of its objects as target."""
        return self._sample(self.whole(*self.image_of(number)), number, epoch)


class ObjectWindows(Objects):
    """One sample an object: a square window around it, moved inside the image.

    Args:
        selection: stores of instances.
        side: width and height of the window in pixels.
        shift: the window's centre is moved by up to this many pixels both ways, uniformly, seeded per sample and
            epoch, so that the middle of the window does not give the object away; less than half of `side`.
        min_area: as in `Objects`.
        per_image: as in `Objects`.

    Raises:
        ConfigError: the shift is so large that a window could miss its object.
        DataError: an image is smaller than the window.
    """

    kind = "objects"

    def __init__(
        self, selection: Selection, side: int = 128, shift: int = 0, min_area: int = 1, per_image: int | None = None
    ) -> None:
        if not 0 <= shift <= (side - 1) // 2:
            raise ConfigError(
                f"shift={shift} does not fit windows of {side} px: the object's middle would lie outside; give "
                f"0 to {(side - 1) // 2}"
            )
        self.side, self.shift = side, shift
        super().__init__(selection, min_area, per_image)

    def _check(self, store: Store, info: GroupInfo) -> None:
        super()._check(store, info)
        if min(info.height, info.width) < self.side:
            raise DataError(
                f"{store.path}, group {info.name!r}: windows of {self.side} px do not fit images of "
                f"{info.width}x{info.height} px; choose a smaller side"
            )

    def describe(self, number: int) -> dict[str, str | int]:
        """Where a sample comes from; x0, y0 is the window's top-left corner in the image, side its size, in pixels."""
        x0, y0 = self._corner(number, epoch=0)
        place = self.place(*self.image_of(number))
        return place | {"object": int(self._objects[number, 2]), "x0": x0, "y0": y0, "side": self.side}

    def sample(self, number: int, epoch: int) -> Sample:
        """The window of one object."""
        image, label = self.whole(*self.image_of(number))
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

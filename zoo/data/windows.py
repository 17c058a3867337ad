"""Windows of region images: drawn at random for training, on a grid for evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from zoo.data.batch import Sample
from zoo.data.datasets import StoreDataset, drawn_number
from zoo.data.disagreement import Disagreement
from zoo.data.transforms import Augment
from zoo.errors import ConfigError, DataError
from zoo.ops.draws import Draw
from zoo.store.reader import Store
from zoo.store.schema import IGNORE

_TRIES = 32
Place = tuple[int, int, int, int]
"""Source, item, x0, y0 of a window."""


@dataclass(frozen=True)
class Share:
    """How much of a window may belong to the region: a share of its pixels that are not ignored, limits included."""

    least: float = 0.0
    most: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.least <= self.most <= 1:
            raise ConfigError(f"positive share {self.least}..{self.most} must be within 0..1, the smaller one first")

    def allows(self, label: NDArray[np.integer]) -> bool:
        """Whether a label window (H, W) keeps to it."""
        valid = int((label != IGNORE).sum())
        positive = int(((label > 0) & (label != IGNORE)).sum())
        # Divided, 7 of 100 pixels are exactly the share that is written 0.07; multiplied, they are not.
        return valid > 0 and self.least <= positive / valid <= self.most


class RegionWindows(StoreDataset):
    """Square windows of region images.

    Args:
        stores: stores of regions.
        split: the groups' split.
        side: of the windows, in pixels.
        stride: of the grid, in pixels; the last column and row are moved inside. None: windows at random places.
        per_image: random windows of each image in an epoch.
        share: of the region in a window. A random place is drawn again up to 32 times until it fits.
        names: only the grid's windows of these names (see `name`), in this order; None for all.
        augment: changes image and labels together, seeded per sample and epoch.
        disagreement: turns parts of training targets over.
        limit: only the first so many images; with `names`, of those that it names.

    Raises:
        ConfigError: side, stride or the number of windows is below 1.
        DataError: the labels are instances, an image is smaller than the window, or a name is not on the grid.
    """

    def __init__(
        self,
        stores: Sequence[Store],
        split: str,
        side: int,
        stride: int | None = None,
        per_image: int = 1,
        share: Share | None = None,
        names: Sequence[str] | None = None,
        augment: Augment | None = None,
        disagreement: Disagreement | None = None,
        limit: int | None = None,
    ) -> None:
        super().__init__(stores, split, augment, limit=limit if names is None else None)
        self.disagreement = disagreement
        if min(side, per_image, 1 if stride is None else stride) < 1:
            raise ConfigError(f"side={side}, stride={stride} and per_image={per_image} must be at least 1")
        self.side, self.stride, self.per_image = side, stride, per_image
        self.share = share or Share()
        for store, info in self.sources:
            if store.info.labels != "region":
                raise DataError(f"{store.path}: labels are instances; windows of regions need a store of regions")
            if min(info.height, info.width) < side:
                raise DataError(
                    f"{store.path}, group {info.name!r}: windows of {side} px do not fit images of "
                    f"{info.width}x{info.height} px; choose a smaller side"
                )
        self._grid = None if stride is None else self._places(stride)
        if names is not None:
            self._grid = self._named(names, limit)

    def __len__(self) -> int:
        return len(self._items) * self.per_image if self._grid is None else len(self._grid)

    def name(self, number: int) -> str:
        """What a committed list calls a window of the grid: `file/group/item/x0,y0`."""
        _, _, x0, y0 = self._place_of(number, epoch=0)
        return f"{super().name(number)}/{x0},{y0}"

    def _image_of(self, number: int) -> tuple[int, int]:
        return self._place_of(number, epoch=0)[:2]

    def describe(self, number: int) -> dict[str, str | int]:
        """Where a sample comes from; x0, y0 is the window's top-left corner in the image, in pixels."""
        source, item, x0, y0 = self._place_of(number, epoch=0)
        return self._place(source, item) | {"x0": x0, "y0": y0}

    def sample(self, number: int, epoch: int) -> Sample:
        """One window; the target is the region."""
        source, item, x0, y0 = self._place_of(number, epoch)
        image, label = self._whole(source, item)
        window = np.s_[y0 : y0 + self.side, x0 : x0 + self.side]
        image, label = self._augmented((image[window], label[window]), number, epoch)
        if self.disagreement is not None:
            label = self.disagreement(label, int(drawn_number(number, epoch, 0, Draw.DISAGREEMENT) * 2**31))
        ignore = label == IGNORE
        return Sample(image, (label > 0) & ~ignore, None, ignore, 0, number, self._item_of[source, item])

    def _place_of(self, number: int, epoch: int) -> Place:
        if self._grid is not None:
            return self._grid[number]
        source, item = self._items[number // self.per_image]
        info = self.sources[source][1]
        label = self._whole(source, item)[1]
        for attempt in range(_TRIES):
            x0 = int(drawn_number(number, epoch, attempt, Draw.WINDOW_X) * (info.width - self.side + 1))
            y0 = int(drawn_number(number, epoch, attempt, Draw.WINDOW_Y) * (info.height - self.side + 1))
            if self.share.allows(label[y0 : y0 + self.side, x0 : x0 + self.side]):
                break
        return source, item, x0, y0

    def _places(self, stride: int) -> list[Place]:
        places: list[Place] = []
        for source, item in self._items:
            info = self.sources[source][1]
            label = self.sources[source][0].label(info.name, item)
            corners = product(steps(info.height, self.side, stride), steps(info.width, self.side, stride))
            places += [
                (source, item, x0, y0)
                for y0, x0 in corners
                if self.share.allows(label[y0 : y0 + self.side, x0 : x0 + self.side])
            ]
        return places

    def _named(self, names: Sequence[str], limit: int | None) -> list[Place]:
        if self._grid is None:
            raise ConfigError("only windows of a grid have names that last; give its stride")
        hint = "use the stores, side, stride and share that the list was made with"
        numbers = self._listed(names, limit, "listed windows are not on the grid", hint)
        return [self._grid[number] for number in numbers]


def steps(length: int, side: int, stride: int) -> list[int]:
    """Where windows begin along one axis: every `stride` pixels, and one that ends at the end."""
    starts = list(range(0, length - side + 1, stride))
    return starts if starts[-1] == length - side else [*starts, length - side]

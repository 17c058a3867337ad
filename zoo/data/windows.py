"""Windows of what is labelled in an image: drawn at random for training, on a grid for evaluation."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.data.batch import Sample
from zoo.data.datasets import Selection, StoreDataset, drawn_number
from zoo.data.disagreement import Disagreement
from zoo.errors import ConfigError, DataError
from zoo.ops.draws import Draw
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
    """Square windows of images; the target is the region, or all objects together.

    Args:
        selection: stores of regions or instances.
        side: of the windows, in pixels.
        min_positive: smallest share of the region in a window.
        max_positive: largest share.

    Raises:
        ConfigError: the side is below 1, or the shares are none.
        DataError: an image is smaller than the window.
    """

    def __init__(
        self, selection: Selection, side: int = 128, min_positive: float = 0.0, max_positive: float = 1.0
    ) -> None:
        super().__init__(selection)
        if side < 1:
            raise ConfigError(f"side={side} must be at least 1")
        self.side, self.share = side, Share(min_positive, max_positive)
        for store, info in self.sources:
            if min(info.height, info.width) < side:
                raise DataError(
                    f"{store.path}, group {info.name!r}: windows of {side} px do not fit images of "
                    f"{info.width}x{info.height} px; choose a smaller side"
                )

    @abstractmethod
    def _place_of(self, number: int, epoch: int) -> Place:
        """Where a window lies."""

    def name(self, number: int) -> str:
        """What a committed list calls a window: `file/group/item/x0,y0`."""
        _, _, x0, y0 = self._place_of(number, epoch=0)
        return f"{super().name(number)}/{x0},{y0}"

    def image_of(self, number: int) -> tuple[int, int]:
        """Source and item of the image."""
        return self._place_of(number, epoch=0)[:2]

    def describe(self, number: int) -> dict[str, str | int]:
        """Where a sample comes from; x0, y0 is the window's top-left corner in the image, side its size, in pixels."""
        source, item, x0, y0 = self._place_of(number, epoch=0)
        return self.place(source, item) | {"x0": x0, "y0": y0, "side": self.side}

    def sample(self, number: int, epoch: int) -> Sample:
        """One window."""
        source, item, x0, y0 = self._place_of(number, epoch)
        image, label = self.whole(source, item)
        label = self._region(source, self._cut(label, x0, y0))
        image, label = self.augmented((self._cut(image, x0, y0), label), number, epoch)
        label = self._target(label, number, epoch)
        ignore = label == IGNORE
        return Sample(image, (label > 0) & ~ignore, None, ignore, 0, number, self.image_ids[source, item])

    def _target(self, label: NDArray[np.integer], number: int, epoch: int) -> NDArray[np.integer]:
        return label

    def _region(self, source: int, label: NDArray[np.integer]) -> NDArray[np.integer]:
        """A label window as one of a region: objects become 1."""
        return label if self._regions(source) else (label > 0).astype(np.uint8)

    def _cut(self, pixels: NDArray[Any], x0: int, y0: int) -> NDArray[Any]:
        return pixels[y0 : y0 + self.side, x0 : x0 + self.side]


class RandomWindows(RegionWindows):
    """Windows at random places of images, for training: other places in every epoch.

    Args:
        selection: stores of regions or instances.
        side: of the windows, in pixels.
        per_image: windows of each image in an epoch.
        min_positive: smallest share of the region in a window. A place is drawn again up to 32 times until it fits.
        max_positive: largest share.
        disagreement: turns parts of the targets over, so that the user has to be heard.

    Raises:
        ConfigError: the number of windows is below 1, or a list names some: random windows have no lasting names.
        ConfigError, DataError: as `RegionWindows`.
    """

    kind = "random_windows"

    def __init__(
        self,
        selection: Selection,
        side: int = 128,
        per_image: int = 1,
        min_positive: float = 0.0,
        max_positive: float = 1.0,
        disagreement: Disagreement | None = None,
    ) -> None:
        super().__init__(selection, side, min_positive, max_positive)
        if per_image < 1:
            raise ConfigError(f"per_image={per_image} must be at least 1")
        if selection.names is not None:
            raise ConfigError("only windows of a grid have names that last; use zoo.data.GridWindows")
        self.per_image, self.disagreement = per_image, disagreement

    def __len__(self) -> int:
        return len(self.items) * self.per_image

    def _target(self, label: NDArray[np.integer], number: int, epoch: int) -> NDArray[np.integer]:
        if self.disagreement is None:
            return label
        return self.disagreement(label, int(drawn_number(number, epoch, 0, Draw.DISAGREEMENT) * 2**31))

    def _place_of(self, number: int, epoch: int) -> Place:
        source, item = self.items[number // self.per_image]
        info = self.sources[source][1]
        label = self.whole(source, item)[1]
        for attempt in range(_TRIES):
            x0 = int(drawn_number(number, epoch, attempt, Draw.WINDOW_X) * (info.width - self.side + 1))
            y0 = int(drawn_number(number, epoch, attempt, Draw.WINDOW_Y) * (info.height - self.side + 1))
            if self.share.allows(self._region(source, self._cut(label, x0, y0))):
                break
        return source, item, x0, y0


class GridWindows(RegionWindows):
    """All windows of a grid over images, for evaluation.

    Args:
        selection: stores of regions or instances.
        side: of the windows, in pixels.
        stride: of the grid, in pixels; the last column and row are moved inside. None: half a side.
        min_positive: smallest share of the region in a window; others are left out.
        max_positive: largest share.

    Raises:
        ConfigError: the stride is below 1.
        DataError: there is no window of a name.
        ConfigError, DataError: as `RegionWindows`.
    """

    kind = "windows"

    def __init__(
        self,
        selection: Selection,
        side: int = 128,
        stride: int | None = None,
        min_positive: float = 0.0,
        max_positive: float = 1.0,
    ) -> None:
        super().__init__(selection, side, min_positive, max_positive)
        stride = max(side // 2, 1) if stride is None else stride
        if stride < 1:
            raise ConfigError(f"stride={stride} must be at least 1")
        self._grid = self._places(stride)
        hint = "use the stores, side, stride and share that the list was made with"
        self._grid = [self._grid[n] for n in self.listed(selection, "listed windows are not on the grid", hint)]

    def __len__(self) -> int:
        return len(self._grid)

    def _place_of(self, number: int, epoch: int) -> Place:
        return self._grid[number]

    def _places(self, stride: int) -> list[Place]:
        places: list[Place] = []
        for source, item in self.items:
            info = self.sources[source][1]
            label = self._region(source, self.sources[source][0].label(info.name, item))
            corners = product(steps(info.height, self.side, stride), steps(info.width, self.side, stride))
            places += [(source, item, x0, y0) for y0, x0 in corners if self.share.allows(self._cut(label, x0, y0))]
        return places


def steps(length: int, side: int, stride: int) -> list[int]:
    """Where windows begin along one axis: every `stride` pixels, and one that ends at the end."""
    starts = list(range(0, length - side + 1, stride))
    return starts if starts[-1] == length - side else [*starts, length - side]

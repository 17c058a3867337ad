"""Samples at two magnifications: an image and the same field or slide at a lower one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from zoo.data.batch import Sample
from zoo.data.datasets import Pixels, Selection, StoreDataset, chunks
from zoo.errors import ConfigError, DataError
from zoo.images.blocks import shrink
from zoo.store.reader import Store
from zoo.store.schema import IGNORE, GroupInfo

Source = tuple[Store, GroupInfo]
Place = tuple[int, int]
"""Source and item of an image."""


@dataclass(frozen=True)
class Pair:
    """Where one sample lies in the stores.

    Attributes:
        high: images at the high magnification, each with x, y of its first pixel in the sample.
        low: the image at the low one; None: made of the high one.
        x0: x of the sample's left edge in pixels of the low image.
        y0: y of its top edge.
        scale: pixels of the high image per pixel of the low one.
        size: height and width of the sample at the high magnification.
        patches: whether the high images are patches of the low one, put together here.
    """

    high: tuple[tuple[Place, int, int], ...]
    low: Place | None
    x0: float
    y0: float
    scale: float
    size: tuple[int, int]
    patches: bool = False

    @property
    def key(self) -> Place:
        """What names and numbers of images count: the low image of a slide's patches, else the high one."""
        return self.low if self.patches and self.low is not None else self.high[0][0]


class PairedImages(StoreDataset):
    """One sample a field, or a patch of a slide: an image at a high magnification with all that is labelled as target,
    and `low`, the same at a low one. They come one at a time.

    Three kinds of stores make pairs, and in each a pixel of the low image is exactly the square of `scale` x `scale`
    pixels of the high one that begins at `scale` times its place, whatever the sizes: what is left over at the right
    and at the bottom of the high image belongs to no pixel of the low one.

    - Stores of one magnification, with `factor`: the low image is made of block means and its label of majorities (a
      tie is the region's), exactly as `zoo prep glas_fields --magnification 5` makes them of the fields at 20x. It
      needs one set of stores in place of two that have to stay alike, so it is how fields are paired.
    - Stores of whole images at two magnifications, e.g. prepared at 5x and at 20x: paired by slide and patient, in the
      order of their items, wherever both lie at the same place.
    - Stores of `zoo prep` of slides at two magnifications (`--parent-magnification`): each patch of the low one with
      all patches of the high one that lie in it. Where there are none, the image is the low one enlarged and the label
      is ignored.

    Args:
        selection: stores of regions or instances.
        factor: makes the low images of the stores' own, so many times smaller; None: the stores hold them.

    Raises:
        ConfigError: the factor is below 2, or augmentation was asked for, which would change one of the two.
        DataError: an image has no partner, more than one, one of another size, or no known magnification; or there is
            no pair of a name.
    """

    kind = "pairs"

    def __init__(self, selection: Selection, factor: int | None = None) -> None:
        super().__init__(replace(selection, limit=None))
        if factor is not None and factor < 2:
            raise ConfigError(f"factor={factor} must be at least 2: pixels of the stores per pixel of the low image")
        if selection.augment is not None:
            raise ConfigError("pairs can't be augmented: train on windows of one magnification, evaluate on pairs")
        self.factor = factor
        self.pairs = self._whole() if factor is None else [self._shrunk(place, factor) for place in self.items]
        self.pairs = self.pairs[: selection.limit if selection.names is None else None]
        hint = "use the stores that the list was made with"
        self.pairs = [self.pairs[n] for n in self.listed(selection, "listed pairs are not in the data", hint)]

    def batches(self, batch_size: int) -> list[list[int]]:
        """One each: their sizes may differ."""
        return chunks(range(len(self)), 1)

    def __len__(self) -> int:
        return len(self.pairs)

    def image_of(self, number: int) -> Place:
        """Source and item of the image that a sample is named after."""
        return self.pairs[number].key

    def describe(self, number: int) -> dict[str, str | int]:
        """Where a sample comes from."""
        return self.place(*self.pairs[number].key)

    def mpp(self, number: int) -> float | None:
        """Micrometres per pixel of a sample's image at the high magnification."""
        stored = self.sources[self.pairs[number].high[0][0][0]][1].mpp
        return self.assumed_mpp if stored is None else stored

    def sample(self, number: int, epoch: int) -> Sample:
        """One pair."""
        pair = self.pairs[number]
        regions = self._regions(pair.high[0][0][0])
        low: Pixels
        if pair.low is None:
            high, factor = self.whole(*pair.high[0][0]), round(pair.scale)
            low = shrink(high[0], factor), shrink_label(high[1], factor, regions)
        else:
            low = self.whole(*pair.low)
            high = self._assembled(pair, low[0], regions) if pair.patches else self.whole(*pair.high[0][0])
        mpp = self.mpp(number)
        small = replace(_sample(low, number, regions), mpp=None if mpp is None else mpp * pair.scale)
        return replace(_sample(high, number, regions), low=small, place=(pair.x0, pair.y0, pair.scale))

    def _shrunk(self, place: Place, factor: int) -> Pair:
        store, info = self.sources[place[0]]
        if min(info.height, info.width) < factor:
            raise DataError(f"{store.path}, group {info.name!r}: {info.width}x{info.height} px are less than {factor}")
        return Pair(((place, 0, 0),), None, 0.0, 0.0, float(factor), (info.height, info.width))

    def _whole(self) -> list[Pair]:
        """Pairs of stored images, in the order of their high ones; of slides in that of their low ones."""
        parents = {(store.path, info.parent) for store, info in self.sources if info.parent is not None}
        pairs: list[Pair] = []
        done: set[int] = set()
        for number, (store, info) in enumerate(self.sources):
            if number in done or (store.path, info.name) in parents:
                continue
            if info.parent is not None:
                pairs += self._patches(number)
                continue
            others = [
                k
                for k, (other, each) in enumerate(self.sources)
                if (each.slide, each.patient) == (info.slide, info.patient) and each.parent is None
                if (other.path, each.name) not in parents and k != number
            ]
            pairs += self._images(number, others)
            done |= {number, *others}
        return pairs

    def _images(self, number: int, others: Sequence[int]) -> list[Pair]:
        where = _where(self.sources[number])
        if len(others) != 1:
            have = "no partner" if not others else f"{len(others)} partners"
            raise DataError(
                f"{where} has {have} at another magnification among the stores; name stores of two magnifications of "
                "every slide under `files`, or give `factor` (4 from 20x to 5x), which makes the low one"
            )
        low, high = number, others[0]
        scale = _ratio(self.sources[low], self.sources[high])
        if scale < 1:
            low, high, scale = high, low, _ratio(self.sources[high], self.sources[low])
        small, large = self.sources[low][1], self.sources[high][1]
        sides = ((small.height, large.height), (small.width, large.width))
        if scale == 1 or small.count != large.count or any(abs(b - a * scale) >= scale for a, b in sides):
            raise DataError(
                f"{_where(self.sources[low])}: {small.count} of {small.width}x{small.height} px, and "
                f"{_where(self.sources[high])}: {large.count} of {large.width}x{large.height} px, do not show the same "
                f"{scale:g} times as large; prepare both from the same images"
            )
        origins = [self.sources[k][0].origins(self.sources[k][1].name) for k in (low, high)]
        # Origins are in level-0 pixels; of images that say nothing else, in those of the high one.
        offset = (origins[1] - origins[0]) / float(small.attributes.get("downsample", scale))
        size = (large.height, large.width)
        return [
            Pair((((high, item), 0, 0),), (low, item), float(offset[item, 0]), float(offset[item, 1]), scale, size)
            for item in range(large.count)
        ]

    def _patches(self, number: int) -> list[Pair]:
        store, info = self.sources[number]
        low = next((k for k, (s, i) in enumerate(self.sources) if (s.path, i.name) == (store.path, info.parent)), None)
        if low is None:
            raise DataError(f"{_where((store, info))}: its parent {info.parent!r} is missing; prepare the slide again")
        scale, parent = _ratio(self.sources[low], (store, info)), self.sources[low][1]
        inside: dict[int, list[tuple[Place, int, int]]] = {}
        for item, row in enumerate(store.parents(info.name)):
            x, y = (round(float(row[name]) * scale) for name in ("x0", "y0"))
            inside.setdefault(int(row["item"]), []).append(((number, item), x, y))
        size = (round(parent.height * scale), round(parent.width * scale))
        return [Pair(tuple(found), (low, item), 0.0, 0.0, scale, size, True) for item, found in sorted(inside.items())]

    def _assembled(self, pair: Pair, low: NDArray[np.uint8], regions: bool) -> Pixels:
        """Patches of the high magnification on the enlarged image of the low one."""
        height, width = pair.size
        image = np.asarray(cv2.resize(low, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
        label: NDArray[Any] = np.full(pair.size, IGNORE if regions else 0, np.uint8 if regions else np.int32)
        for place, x, y in pair.high:
            pixels, ids = self.whole(*place)
            rows, columns = slice(y, min(y + len(ids), height)), slice(x, min(x + ids.shape[1], width))
            image[rows, columns] = pixels[: rows.stop - y, : columns.stop - x]
            label[rows, columns] = ids[: rows.stop - y, : columns.stop - x]
        return image, label


def shrink_label(label: NDArray[np.integer], factor: int, regions: bool) -> NDArray[np.uint8]:
    """1 where at least half of a block of `factor` x `factor` pixels is labelled.

    Of regions, ignored pixels have no say, and a block of which more than half is ignored is ignored.
    """
    height, width = label.shape[0] // factor, label.shape[1] // factor
    blocks = label[: height * factor, : width * factor].reshape(height, factor, width, factor)
    ignored = (blocks == IGNORE) & regions
    unknown = ignored.sum(axis=(1, 3))
    share = ((blocks > 0) & ~ignored).sum(axis=(1, 3)) * 2 >= factor**2 - unknown
    return np.where(unknown * 2 > factor**2, IGNORE, share).astype(np.uint8)


def _sample(pixels: Pixels, number: int, regions: bool) -> Sample:
    """Everything that is labelled as one target."""
    image, label = pixels
    ignore = (label == IGNORE) if regions else np.zeros(label.shape, bool)
    return Sample(image, (label > 0) & ~ignore, None, ignore, 0, number, number)


def _ratio(low: Source, high: Source) -> float:
    """Pixels of the high image per pixel of the low one."""
    first, second = low[1], high[1]
    if first.mpp and second.mpp:
        return round(first.mpp / second.mpp, 6)
    if first.magnification and second.magnification:
        return round(second.magnification / first.magnification, 6)
    raise DataError(
        f"{_where(low)} and {_where(high)}: their magnifications are unknown; prepare them with an mpp, or give "
        "`factor`, which makes the low images of the high ones"
    )


def _where(source: Source) -> str:
    return f"{source[0].path}, group {source[1].name!r}"

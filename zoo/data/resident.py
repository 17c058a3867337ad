"""Windows that an accelerator cuts, turns, resamples and colours itself, from images it holds in its memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.data.batch import Batch, Sample
from zoo.data.datasets import Selection, StoreDataset
from zoo.data.resident_colours import Colours
from zoo.errors import ConfigError
from zoo.ops.device import layout
from zoo.ops.draws import Draw
from zoo.ops.pixels import Pyramids
from zoo.ops.random import uniform
from zoo.store.schema import IGNORE
from zoo.users.base import Truth

REGION = 1
"""Id of the region in labels of regions."""
REGION_ZOOM = 4.0
"""Of windows of regions: from the image's whole shorter side to a quarter of it."""
MOST = 8.0
"""Largest scale of small objects: beyond it pixels are all there is to see."""


@dataclass(frozen=True)
class _Table:
    """The objects of all images, on the device.

    Attributes:
        image: (N,) int64, position of an object's image.
        box: (N, 4) float32 x0, y0, x1, y1 in image pixels.
        number: (N,) int64, its id in the image's labels.
        first: (I,) int64, of each image's objects.
        count: (I,) int64.
        share: (I,) float64, running sums of the images' probabilities.
        spots: (I, K, 2) float32, pixels of the region in images of regions.
        region: (I,) bool, whether the image's labels are a region.
    """

    image: Tensor
    box: Tensor
    number: Tensor
    first: Tensor
    count: Tensor
    share: Tensor
    spots: Tensor
    region: Tensor


class ResidentWindows(StoreDataset):
    """One sample an object, for training on an accelerator: a window around it at any scale and angle.

    Loading is what limits the training of a small network on a large accelerator. Here the loader's processes give
    numbers only; images and labels lie in the device's memory, and a batch is cut from them there at once
    (`PatchDataModule` does it after the batch was moved). The same number and epoch give the same window on every
    device. Beside stores of instances it takes regions: then the target is the region in a window around one of its
    pixels.

    A sample is drawn, not listed: first an image, with a probability in proportion to the number of its objects to the
    power `balance`, then one of its objects. Windows are turned by any angle and mirrored; pixels are interpolated
    between those of the image, or of an image halved so often that none is left out; of labels the nearest is taken.
    What lies outside of the image repeats its edge and is to be ignored.

    Args:
        selection: stores of instances or regions; it has no `augment`, whose place `colours` takes.
        side: width and height of the samples in pixels.
        low: smallest scale, in window pixels per image pixel (`of: image`), or smallest share of the window's side that
            the object's longest side takes (`of: object`). A window of an object is no wider than its image; one of a
            region then holds between the whole of the image's shorter side and a quarter of it.
        high: the largest.
        of: what the scale refers to. The drawn numbers' logarithms have a triangular distribution for `image`, so that
            their geometric mean is the most frequent, and a uniform one for `object`.
        shift: the window's centre is moved by up to this share of its side both ways, uniformly.
        min_area: smaller objects are left out as targets, in image pixels.
        balance: 1: every object is as likely; 0: every image.
        per_image: samples of an image in an epoch, on average.
        colours: changes brightness, stains and sharpness; None: nothing does.

    Raises:
        ConfigError: the limits are no scales, or so much shift that a window could miss its object, or `data.augment`
            is given.
    """

    kind = "resident_windows"

    def __init__(
        self,
        selection: Selection,
        side: int = 128,
        low: float = 0.5,
        high: float = 2.0,
        of: Literal["image", "object"] = "image",
        shift: float = 0.1,
        min_area: int = 1,
        balance: float = 0.5,
        per_image: int = 100,
        colours: Colours | None = None,
    ) -> None:
        super().__init__(selection)
        if not 0 < low <= high or not 0 <= shift < 0.5:
            raise ConfigError(
                f"low={low} and high={high} must be above 0, the smaller first, and shift={shift} in 0..0.5"
            )
        if selection.augment is not None:
            raise ConfigError("ResidentWindows are coloured on the device: give `colours`, and no `data.augment`")
        self.side, self.low, self.high, self.of, self.shift = side, low, high, of, shift
        self.min_area, self.balance, self.per_image, self.colours = min_area, balance, per_image, colours
        self._held: tuple[_Table, Pyramids, Tensor] | None = None

    def __len__(self) -> int:
        return len(self.items) * self.per_image

    def __getitem__(self, index: int) -> int:  # type: ignore[override]
        """The number of the sample and its epoch, as one; `batch` makes the samples."""
        return int(index)

    def __getstate__(self) -> dict[str, object]:
        return super().__getstate__() | {"_held": None}

    def describe(self, number: int) -> dict[str, str | int]:
        """Only that it is drawn: where it comes from, the device decides."""
        return {"number": number}

    def image_of(self, number: int) -> tuple[int, int]:
        """Refused, since a number has another image in each epoch.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("ResidentWindows are for training: evaluation needs samples that stay; name others")

    def sample(self, number: int, epoch: int) -> Sample:
        """As `image_of`."""
        raise ConfigError("ResidentWindows are made on the device, in batches; see `batch`")

    def batch(self, index: Tensor) -> Batch:
        """The samples of these numbers.

        Args:
            index: (B,) int64, `number + epoch * len(self)` each, on the device that makes them.
        """
        table, images, labels = self._on(index.device)
        epoch, number = index // len(self), index % len(self)

        def drawn(what: Draw) -> Tensor:
            return uniform(number, epoch, 0, what)

        image = torch.searchsorted(table.share, drawn(Draw.RESIDENT_IMAGE), right=True).clamp(max=len(table.count) - 1)
        one = table.first[image] + (drawn(Draw.RESIDENT_OBJECT) * table.count[image]).long()
        box = table.box[one]
        spot = (drawn(Draw.RESIDENT_SPOT) * table.spots.shape[1]).long()
        centre = torch.where(table.region[image][:, None], table.spots[image, spot], (box[:, :2] + box[:, 2:]) / 2)
        extent = (box[:, 2:] - box[:, :2]).amax(1)
        scale = self._scale(drawn, extent, table.region[image], images.height[0, image], images.width[0, image])
        move = torch.stack([drawn(Draw.OBJECT_SHIFT_X), drawn(Draw.OBJECT_SHIFT_Y)], 1) * 2 - 1
        centre = centre + move.float() * (self.shift * self.side / scale)[:, None]
        angle = drawn(Draw.RESIDENT_ANGLE).float() * (2 * math.pi)
        mirror = torch.where(drawn(Draw.RESIDENT_MIRROR) < 0.5, -1.0, 1.0)
        places = _grid(self.side, centre, scale, angle, mirror)
        pixels = images.sampled(image, places, scale)
        label, inside = images.nearest(labels, image, places)
        if self.colours is not None:
            pixels = self.colours(pixels, image, number, epoch)
        ignore = ~inside | ((label == IGNORE) & table.region[image][:, None, None])
        target = (label == table.number[one][:, None, None]) & ~ignore
        truth = Truth(
            target=target[:, None],
            sample_id=number,
            instances=label.masked_fill(ignore, 0)[:, None],
            object_id=table.number[one],
            ignore=ignore[:, None],
        )
        return Batch(pixels.contiguous(memory_format=layout(index.device)), truth, image)

    def _scale(
        self, drawn: Callable[[Draw], Tensor], extent: Tensor, region: Tensor, height: Tensor, width: Tensor
    ) -> Tensor:
        """(B,) float32, window pixels per image pixel."""
        one = drawn(Draw.SCALE_ONE)
        if self.of == "image":
            one = (one + drawn(Draw.SCALE_OTHER)) / 2
            return (self.low ** (1 - one) * self.high**one).float()
        share = self.low ** (1 - one) * self.high**one
        scale = (share * self.side / extent.clamp(min=1)).clamp(max=MOST)
        scale = torch.maximum(scale, self.side / torch.maximum(height, width))
        of_region = self.side / torch.minimum(height, width) * REGION_ZOOM**one
        return torch.where(region, of_region, scale).float()

    def _on(self, device: torch.device) -> tuple[_Table, Pyramids, Tensor]:
        if self._held is None or self._held[0].image.device != device:
            self._held = self._load(device)
            if self.colours is not None:
                self.colours.learn(self._held[1])
        return self._held

    def _load(self, device: torch.device) -> tuple[_Table, Pyramids, Tensor]:
        images: list[NDArray[np.uint8]] = []
        labels: list[NDArray[np.int32]] = []
        rows, spots, regions = [], [], []
        generator = np.random.default_rng(0)
        tables = {
            number: store.objects(info.name)
            for number, (store, info) in enumerate(self.sources)
            if store.info.labels != "region"
        }
        for source, item in self.items:
            image, label = self._read(source, item)
            inside = (label > 0) & (label != IGNORE) if source not in tables else label > 0
            if source in tables:
                objects = tables[source]
                objects = objects[(objects["item"] == item) & (objects["area"] >= self.min_area)]
                mine = [(len(images), *(int(row[k]) for k in ("x0", "y0", "x1", "y1", "id"))) for row in objects]
            else:
                mine = [(len(images), 0, 0, label.shape[1], label.shape[0], REGION)] if inside.any() else []
                label = np.where(label == IGNORE, IGNORE, inside * REGION)
            if not mine:
                continue
            places = np.argwhere(inside)
            chosen = places[generator.integers(len(places), size=256)]
            spots.append(chosen[:, ::-1] + 0.5)
            regions.append(source not in tables)
            images.append(image)
            labels.append(label.astype(np.int32))
            rows += mine
        if not rows:
            raise ConfigError(f"no object of {self.min_area} px and more in the training images; check `files`")
        table = np.array(rows, np.int64)
        count = np.bincount(table[:, 0], minlength=len(images))
        weight = count.astype(np.float64) ** self.balance
        held = _Table(
            image=torch.from_numpy(table[:, 0]).to(device),
            box=torch.from_numpy(table[:, 1:5]).float().to(device),
            number=torch.from_numpy(table[:, 5]).to(device),
            first=torch.from_numpy(np.cumsum(count) - count).to(device),
            count=torch.from_numpy(count).to(device),
            share=torch.from_numpy(np.cumsum(weight) / weight.sum()).to(device),
            spots=torch.from_numpy(np.stack(spots)).float().to(device),
            region=torch.tensor(regions, device=device),
        )
        flat = torch.from_numpy(np.concatenate([label.ravel() for label in labels])).to(device)
        return held, Pyramids(images, device), flat


def _grid(side: int, centre: Tensor, scale: Tensor, angle: Tensor, mirror: Tensor) -> Tensor:
    """(B, side, side, 2) x, y in image pixels of the window's pixel centres."""
    place = torch.arange(side, device=centre.device) + 0.5 - side / 2
    v, u = torch.meshgrid(place, place, indexing="ij")
    u = u[None] * (mirror / scale)[:, None, None]
    v = v[None] / scale[:, None, None]
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    x = centre[:, 0, None, None] + u * cos - v * sin
    y = centre[:, 1, None, None] + u * sin + v * cos
    return torch.stack([x, y], -1)

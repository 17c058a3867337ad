"""Windows that an accelerator cuts, turns, resamples and colours itself, from images it holds in its memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.utils.data import Dataset

from zoo.data.batch import Batch, Sample
from zoo.data.datasets import Selection, StoreDataset
from zoo.data.resident_colours import Colours, Stains
from zoo.data.resident_objects import HeldObjects
from zoo.errors import ConfigError
from zoo.ops.device import layout
from zoo.ops.draws import Draw
from zoo.ops.random import uniform
from zoo.store.schema import IGNORE
from zoo.users.base import Truth

REGION_ZOOM = 4.0
"""Of windows of regions: from the image's whole shorter side to a quarter of it."""
MOST = 8.0
"""Largest scale of small objects: beyond it pixels are all there is to see."""
FARTHEST = 0.35
"""Largest shift along both axes that leaves an object's middle in its window, however that is turned."""


class Numbers(Dataset[int]):
    """Every index itself, for a loader whose samples are made on the device."""

    def __getitem__(self, index: int) -> int:
        return int(index)


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
        if not 0 < low <= high or not 0 <= shift <= FARTHEST:
            raise ConfigError(
                f"low={low} and high={high} must be above 0, the smaller first, and shift={shift} in 0..{FARTHEST}"
            )
        if selection.augment is not None:
            raise ConfigError("ResidentWindows are coloured on the device: give `colours`, and no `data.augment`")
        self.side, self.low, self.high, self.of, self.shift = side, low, high, of, shift
        self.min_area, self.balance, self.per_image, self.colours = min_area, balance, per_image, colours
        self._held: tuple[HeldObjects, Stains] | None = None

    def __len__(self) -> int:
        return len(self.items) * self.per_image

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
        raise ConfigError(
            "ResidentWindows are for training; validation and test need samples that stay the same: name others, "
            "such as zoo.data.ObjectWindows, under `samples` of the protocol or `data.val`"
        )

    def sample(self, number: int, epoch: int) -> Sample:
        """As `image_of`."""
        raise ConfigError("ResidentWindows are made on the device, in batches; call `batch` with their numbers")

    def batch(self, index: Tensor) -> Batch:
        """The samples of these numbers.

        Args:
            index: (B,) int64, `number + epoch * len(self)` each, on the device that makes them.
        """
        held, stains = self._on(index.device)
        epoch, number = index // len(self), index % len(self)

        def drawn(what: Draw) -> Tensor:
            return uniform(number, epoch, 0, what)

        image = torch.searchsorted(held.share, drawn(Draw.RESIDENT_IMAGE), right=True).clamp(max=len(held.count) - 1)
        one = held.first[image] + (drawn(Draw.RESIDENT_OBJECT) * held.count[image]).long()
        box, region = held.box[one], held.region[image]
        spot = held.spots[image, (drawn(Draw.RESIDENT_SPOT) * held.spots.shape[1]).long()]
        centre = torch.where(region[:, None], spot, (box[:, :2] + box[:, 2:]) / 2)
        extent = (box[:, 2:] - box[:, :2]).amax(1)
        scale = self._scale(drawn, extent, region, held.pixels.height[0, image], held.pixels.width[0, image])
        move = torch.stack([drawn(Draw.OBJECT_SHIFT_X), drawn(Draw.OBJECT_SHIFT_Y)], 1) * 2 - 1
        centre = centre + move.float() * (self.shift * self.side / scale)[:, None]
        angle = drawn(Draw.RESIDENT_ANGLE).float() * (2 * math.pi)
        mirror = torch.where(drawn(Draw.RESIDENT_MIRROR) < 0.5, -1.0, 1.0)
        places = _grid(self.side, centre, scale, angle, mirror)
        pixels = held.pixels.sampled(image, places, scale)
        if self.colours is not None:
            pixels = self.colours(pixels, stains, image, number, epoch)
        pixels = (pixels + 0.5).to(torch.uint8).contiguous(memory_format=layout(index.device))
        label, inside = held.pixels.nearest(held.labels, image, places)
        ignore = ~inside | ((label == IGNORE) & region[:, None, None])
        object_id = held.number[one]
        target = (label == object_id[:, None, None]) & ~ignore
        instances = label.masked_fill(ignore, 0)
        truth = Truth(target[:, None], number, instances[:, None], object_id, ignore[:, None])
        return Batch(pixels, truth, held.position[image])

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

    def _on(self, device: torch.device) -> tuple[HeldObjects, Stains]:
        if self._held is None or self._held[0].box.device != device:
            held = HeldObjects.load(self, self.min_area, self.balance, device)
            self._held = held, Stains.of(held.pixels)
        return self._held


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

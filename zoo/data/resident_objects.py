"""What a device holds of stores, so that windows can be cut from them there: images, labels, and where objects are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.data.datasets import StoreDataset
from zoo.errors import ConfigError
from zoo.ops.pixels import Pyramids
from zoo.store.schema import IGNORE

REGION = 1
"""Id of the region in labels of regions."""
SPOTS = 256
"""Of each image, so many pixels that windows of a region are cut around."""


@dataclass(frozen=True)
class HeldObjects:
    """The images of a data set that have an object, and their objects, on one device.

    Attributes:
        pixels: the I images.
        labels: (P,) int32, of all their pixels, one image after another; of regions `REGION`, 0 and `IGNORE`.
        position: (I,) int64, of the images in the data set.
        region: (I,) bool, whether an image's labels are a region, which counts as one object of the image's size.
        first: (I,) int64, of each image's objects.
        count: (I,) int64.
        share: (I,) float64, running sums of the images' probabilities.
        spots: (I, SPOTS, 2) float32, x, y of labelled pixels.
        box: (N, 4) float32 x0, y0, x1, y1 of the objects in image pixels.
        number: (N,) int64, their ids in the labels.
    """

    pixels: Pyramids
    labels: Tensor
    position: Tensor
    region: Tensor
    first: Tensor
    count: Tensor
    share: Tensor
    spots: Tensor
    box: Tensor
    number: Tensor

    @classmethod
    def load(cls, dataset: StoreDataset, min_area: int, balance: float, device: torch.device) -> HeldObjects:
        """Read all images once.

        Args:
            dataset: whose `items` are read.
            min_area: objects of fewer pixels are left out.
            balance: an image's probability is in proportion to the number of its objects to this power.
            device: that holds them.

        Raises:
            ConfigError: there is no object.
        """
        images: list[NDArray[np.uint8]] = []
        labels: list[NDArray[np.int32]] = []
        positions, regions, counts, spots, rows = [], [], [], [], []
        generator = np.random.default_rng(0)
        objects = {
            number: store.objects(info.name)
            for number, (store, info) in enumerate(dataset.sources)
            if store.info.labels != "region"
        }
        for position, (source, item) in enumerate(dataset.items):
            store, info = dataset.sources[source]
            label = store.label(info.name, item)
            if source in objects:
                inside = label > 0
                here = objects[source]
                here = here[(here["item"] == item) & (here["area"] >= min_area)]
                mine = [tuple(int(row[k]) for k in ("x0", "y0", "x1", "y1", "id")) for row in here]
            else:
                inside = (label > 0) & (label != IGNORE)
                mine = [(0, 0, label.shape[1], label.shape[0], REGION)] if inside.any() else []
                label = np.where(label == IGNORE, IGNORE, inside * REGION)
            if not mine:
                continue
            places = np.argwhere(inside)
            spots.append(places[generator.integers(len(places), size=SPOTS), ::-1] + 0.5)
            positions.append(position)
            regions.append(source not in objects)
            counts.append(len(mine))
            rows += mine
            images.append(store.image(info.name, item))
            labels.append(label.astype(np.int32))
        if not rows:
            raise ConfigError(f"no object of {min_area} px and more in the training images; check `files` and min_area")
        count = torch.tensor(counts)
        weight = count.double() ** balance
        table = torch.tensor(rows)
        return cls(
            pixels=Pyramids(images, device),
            labels=torch.from_numpy(np.concatenate([label.ravel() for label in labels])).to(device),
            position=torch.tensor(positions, device=device),
            region=torch.tensor(regions, device=device),
            first=(count.cumsum(0) - count).to(device),
            count=count.to(device),
            share=(weight.cumsum(0) / weight.sum()).to(device),
            spots=torch.from_numpy(np.stack(spots)).float().to(device),
            box=table[:, :4].float().to(device),
            number=table[:, 4].to(device),
        )

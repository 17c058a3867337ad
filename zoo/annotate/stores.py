"""What people annotated as an HDF5 store: images, objects, and what was said of each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.annotate.grid import MOST_PIXELS, PixelGrid, grid_of
from zoo.annotate.paint import painted
from zoo.annotate.pictures import Pictures
from zoo.annotate.refused import RefusedError
from zoo.annotate.wholes import Whole
from zoo.errors import InteractionError
from zoo.files import sha256
from zoo.interactions import SCHEMA, Interaction
from zoo.interactions.single import check
from zoo.interactions.wire import written
from zoo.store.writer import StoreWriter

WHOLE = 2048 * 2048
"""Pixels of an image that is stored whole; of a larger one the regions that were worked on."""


def write_store(path: Path, pictures: Pictures, images: Mapping[str, Sequence[Whole]], split: str | None) -> None:
    """Write a store of images' objects, as instances. Each image counts as a patient of its own.

    Regions that overlap are stored as one. Each group keeps what was said of its objects, as
    `zoo.store.reader.Store.interactions` reads it.

    Args:
        path: of the store.
        pictures: the images.
        images: which, with the objects of each.
        split: train, val or test; None: every fifth image, from the second one on, is of val, the others are of train.
    """
    checksums = "".join(sha256(pictures.root.file(image)) for image in images)
    with StoreWriter(
        path,
        dataset="annotations",
        licence="unknown",
        citation="unpublished",
        source_checksum=hashlib.sha256(checksums.encode()).hexdigest(),
    ) as writer:
        for place, (image, found) in enumerate(images.items()):
            about = pictures.about(image)
            mpp = next((each.grid.mpp / each.grid.downsample for each in found if each.grid.mpp is not None), None)
            for number, grid in enumerate(regions(found, (about.width, about.height), mpp)):
                labels = painted(found, grid)
                x, y = grid.origin
                group = writer.open_group(
                    f"{place:04}-{number:04}-{Path(image).stem}",
                    slide=image,
                    patient=Path(image).with_suffix("").as_posix(),
                    split=split or ("val" if place % 5 == 1 else "train"),
                    mpp=grid.mpp,
                )
                group.append(pictures.read(image, grid), labels, (round(x), round(y)))
                group.keep_interactions(said_in(found, labels, grid))


def said_in(found: Sequence[Whole], labels: Any, grid: PixelGrid) -> str:
    """What was said of the objects of a label image, in its pixels, in order of their ids, as JSON."""
    objects = [
        {"id": number, "interactions": [written(each) for each in said_of(found[number - 1], grid)]}
        for number in np.unique(labels[labels > 0]).tolist()
    ]
    return json.dumps({"schema": SCHEMA, "objects": objects}, allow_nan=False)


def said_of(whole: Whole, grid: PixelGrid) -> list[Interaction]:
    """What was said of an object in pixels of a grid, with turns from 0 on; what lies outside is left out."""
    said = []
    turns: dict[int, int] = {}
    for _, turn, each in whole.history.said:
        try:
            here = grid.within(each)
            check(here, grid.size)
        except (RefusedError, InteractionError):
            continue
        said.append(_in_turn(here, turns.setdefault(turn, len(turns))))
    return said


def regions(found: Sequence[Whole], size: tuple[int, int], mpp: float | None) -> list[PixelGrid]:
    """What is stored of an image of width and height `size`: all, or what was worked on, at the finest resolution."""
    down = min((each.grid.downsample for each in found), default=1.0)
    wanted = None if mpp is None else mpp * down
    if size[0] * size[1] <= WHOLE:
        return [grid_of(size, mpp, wanted)]
    boxes = [each.grid.region for each in found]
    merged = True
    while merged:
        merged = False
        for i, one in enumerate(boxes):
            for j in range(len(boxes) - 1, i, -1):
                both = _united(one, boxes[j])
                if _overlap(one, boxes[j]) and both[2] * both[3] / down**2 <= MOST_PIXELS:
                    boxes[i] = one = both
                    del boxes[j]
                    merged = True
    return [grid_of(size, mpp, wanted, box, fit=True) for box in boxes]


def _in_turn(each: Interaction, turn: int) -> Interaction:
    return replace(each, turn=turn)


def _overlap(a: Sequence[float], b: Sequence[float]) -> bool:
    return all(a[k] < b[k] + b[k + 2] and b[k] < a[k] + a[k + 2] for k in (0, 1))


def _united(a: Sequence[float], b: Sequence[float]) -> tuple[float, float, float, float]:
    x, y = (min(a[k], b[k]) for k in (0, 1))
    return x, y, max(a[0] + a[2], b[0] + b[2]) - x, max(a[1] + a[3], b[1] + b[3]) - y

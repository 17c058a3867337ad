"""What an HDF5 store contains: names, types and the table of objects (schema version 1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SCHEMA_VERSION = 1
IGNORE = 255

SplitUnit = Literal["patient", "field"]
Labels = Literal["instances", "region"]
Attribute = str | int | float
Window = tuple[int, int, int, int]

SPLIT_UNITS: tuple[str, ...] = get_args(SplitUnit)
LABELS: tuple[str, ...] = get_args(Labels)
LABEL_DTYPE: Mapping[str, np.dtype] = {"instances": np.dtype(np.int32), "region": np.dtype(np.uint8)}

# One row per object and item; the box is half-open in pixels: x0 <= x < x1.
OBJECT_DTYPE = np.dtype(
    [
        ("item", np.int32),
        ("id", np.int32),
        ("x0", np.int32),
        ("y0", np.int32),
        ("x1", np.int32),
        ("y1", np.int32),
        ("area", np.int64),
    ]
)


@dataclass(frozen=True)
class StoreInfo:
    """What is said once per file: where the data comes from and how it may be used and split."""

    schema_version: int
    dataset: str
    licence: str
    citation: str
    source_checksum: str
    split_unit: SplitUnit
    labels: Labels
    creator: str


@dataclass(frozen=True)
class GroupInfo:
    """One stack of equally large images: `count` images of `height` x `width` px of one slide and patient.

    `mpp` is in micrometres per pixel, None where unknown; `attributes` holds what the data set adds.
    """

    name: str
    count: int
    height: int
    width: int
    slide: str
    patient: str
    split: str
    mpp: float | None = None
    magnification: float | None = None
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


def object_table(labels: NDArray[np.integer], kind: Labels) -> NDArray[np.void]:
    """Every object of a stack of label images.

    Args:
        labels: (N, H, W) integers, 0 = background; any other ids.
        kind: with 'region', the value 255 means ignore and is no object.

    Returns:
        Structured array of `OBJECT_DTYPE`, sorted by item and id.
    """
    rows: list[tuple[int, ...]] = []
    for item, label in enumerate(labels):
        ids, dense = np.unique(label, return_inverse=True)
        dense = dense.reshape(label.shape) + 1
        areas = np.bincount(dense.ravel())
        for value, area, box in zip(ids, areas[1:], ndimage.find_objects(dense), strict=True):
            if value == 0 or (kind == "region" and value == IGNORE):
                continue
            rows.append((item, value, box[1].start, box[0].start, box[1].stop, box[0].stop, area))
    return np.array(rows, dtype=OBJECT_DTYPE)

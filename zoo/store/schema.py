"""What an HDF5 store contains: names, types and the table of objects (schema version 1)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from zoo.errors import StoreError

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
# One row per patch that has surroundings at a lower magnification: the window x0 <= x < x1 in the parent's pixels.
PARENT_DTYPE = np.dtype(
    [("item", np.int32), ("x0", np.float64), ("y0", np.float64), ("x1", np.float64), ("y1", np.float64)]
)


# Ids below this are counted as they are; sorting pixels to renumber them takes ten times as long.
_DENSE = 2**16


@dataclass(frozen=True)
class StoreInfo:
    """What is said once per file: where the data comes from and how it may be used and split.

    `parameters` is JSON of the options it was prepared with, empty where unknown; `empty` is JSON of the attributes
    of groups for which no patch was found, by name.
    """

    schema_version: int
    dataset: str
    licence: str
    citation: str
    source_checksum: str
    split_unit: SplitUnit
    labels: Labels
    creator: str
    parameters: str = ""
    empty: str = ""


@dataclass(frozen=True)
class GroupInfo:
    """One stack of equally large images: `count` images of `height` x `width` px of one slide and patient.

    `mpp` is in micrometres per pixel, None where unknown; `parent` names the group that holds the surroundings at a
    lower magnification; `attributes` holds what the data set adds.
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
    parent: str | None = None
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
        if label.dtype == np.uint8 and not ((label > 1) & (label < IGNORE)).any():
            rows.extend((item, *row) for row in _bytes(label, (1,) if kind == "region" else (1, IGNORE)))
            continue
        if label.min() >= 0 and label.max() < _DENSE:
            ids, dense = np.arange(int(label.max()) + 1), label
        else:
            ids, inverse = np.unique(label, return_inverse=True)
            ids, dense = np.insert(ids, 0, 0), inverse.reshape(label.shape) + 1
        areas = np.bincount(dense.ravel().astype(np.intp, copy=False))  # older NumPy takes no uint64
        for value, area, box in zip(ids[1:], areas[1:], ndimage.find_objects(dense), strict=True):
            if area == 0 or value == 0 or (kind == "region" and value == IGNORE):
                continue
            rows.append((item, value, box[1].start, box[0].start, box[1].stop, box[0].stop, area))
    return np.array(rows, dtype=OBJECT_DTYPE)


def _bytes(label: NDArray[np.uint8], ids: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Id, box and area of some objects of (H, W) uint8: one or two take a tenth of the time that counting all takes."""
    for value in ids:
        mask = np.ascontiguousarray(label == value).view(np.uint8)
        if area := cv2.countNonZero(mask):
            x, y, width, height = cv2.boundingRect(mask)
            yield value, x, y, x + width, y + height, area


def check_shapes(where: str, images: Any, labels: Any, origins: Any) -> None:
    """Check that images (N, H, W, 3), labels (N, H, W) and origins (N, 2) belong together.

    Raises:
        StoreError: they don't; the message begins with `where`.
    """
    if len(images.shape) != 4 or images.shape[3] != 3 or images.dtype != np.uint8 or 0 in images.shape:
        raise StoreError(
            f"{where}: images are {images.shape} {images.dtype}; needed is (N, H, W, 3) uint8, N, H, W > 0"
        )
    if labels.shape != images.shape[:3] or not np.issubdtype(labels.dtype, np.integer):
        raise StoreError(
            f"{where}: labels are {labels.shape} {labels.dtype} for images {images.shape}; "
            "needed are integers of the images' (N, H, W)"
        )
    if origins.shape != (images.shape[0], 2):
        raise StoreError(f"{where}: origins are {origins.shape}; needed is ({images.shape[0]}, 2)")

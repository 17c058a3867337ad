"""Objects painted into label images, of any size."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.annotate.grid import PixelGrid
from zoo.annotate.shapes import bounds, mask_of
from zoo.annotate.wholes import Whole
from zoo.images.labels import write_labels
from zoo.images.pyramid import write_pyramid
from zoo.images.raster import Place, Raster


def painted(found: Sequence[Whole], grid: PixelGrid) -> NDArray[np.int32]:
    """(H, W): object i has id i + 1; where two overlap, the later one has the pixel."""
    labels = np.zeros(grid.size, np.int32)
    for number, each in enumerate(found, 1):
        for place, inside in _parts(each, grid):
            labels[place][inside] = number
    return labels


def label_file(found: Sequence[Whole], grid: PixelGrid, suffix: str) -> bytes:
    """The label image of a grid that fits into memory, as a file of this kind."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"labels{suffix}"
        write_labels(path, painted(found, grid))
        return path.read_bytes()


def pyramid_file(found: Sequence[Whole], grid: PixelGrid, path: Path) -> None:
    """The label image of any grid as a pyramidal TIFF, tile by tile."""
    kind = np.uint8 if len(found) < 2**8 else np.uint16 if len(found) < 2**16 else np.int32
    with (
        tempfile.TemporaryDirectory(dir=path.parent) as folder,
        Raster(Path(folder) / "labels.h5", grid.size, kind) as labels,
    ):
        for number, each in enumerate(found, 1):
            for place, inside in _parts(each, grid):
                there = labels.read(place)
                there[inside] = number
                labels.write(place, there)
        write_pyramid(path, labels, grid.mpp, Path(folder))


def _parts(each: Whole, grid: PixelGrid) -> list[tuple[Place, NDArray[np.bool_]]]:
    """Rows and columns in which an object lies, and which of their pixels are its; nothing where it is outside."""
    geometry = each.exact
    if geometry is None:
        return []
    x0, y0, x1, y1 = bounds(geometry)
    found = []
    for low, high, origin, most in zip((y0, x0), (y1, x1), reversed(grid.origin), grid.size, strict=True):
        first = min(max(int((low - origin) // grid.downsample), 0), most)
        last = min(max(int((high - origin) // grid.downsample) + 1, first), most)
        found.append(slice(first, last))
    rows, columns = found
    if rows.start == rows.stop or columns.start == columns.stop:
        return []
    return [((rows, columns), mask_of(geometry, grid.part(rows, columns)))]

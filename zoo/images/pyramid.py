"""Label images too large for memory as pyramidal tiled TIFFs, as OpenSlide and QuPath read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from zoo.images.raster import SIDE, Place, Raster, count, places

CENTIMETRE = 10_000  # micrometres
CLASSIC = 2**31  # bytes before compression up to which a TIFF of 32 bit addresses holds the pyramid for certain


def write_pyramid(
    path: Path, labels: Raster, mpp: float | None, folder: Path, progress: Callable[[], None] = lambda: None
) -> None:
    """Write a label image with smaller levels, each half the one before, down to a single tile.

    Pixels of the smaller ones are every second of the level before, so that ids stay ids. Memory is that of a tile.

    Args:
        path: a .tif or .tiff.
        labels: of 8, 16 or 32 bits.
        mpp: micrometres a pixel, for the resolution tags.
        folder: for files that are needed meanwhile.
        progress: called after each of the `steps`.
    """
    with ExitStack() as stack, tifffile.TiffWriter(path, bigtiff=_bytes(labels) > CLASSIC) as writer:
        level, number = labels, 0
        while True:
            writer.write(
                _tiles(level, progress),
                shape=level.size,
                dtype=level.dtype,
                tile=(SIDE, SIDE),
                photometric="minisblack",
                compression="zlib",
                subfiletype=1 if number else 0,
                resolution=None if mpp is None else (CENTIMETRE / mpp / 2**number,) * 2,
                resolutionunit=None if mpp is None else "CENTIMETER",
                metadata=None,
                maxworkers=1,  # several would hold 256 MB of tiles
            )
            if max(level.size) <= SIDE:
                return
            number += 1
            height, width = level.size
            half = Raster(folder / f"level-{number}.h5", (-(-height // 2), -(-width // 2)), level.dtype)
            level = _shrunk(level, stack.enter_context(half))


def steps(size: tuple[int, int]) -> int:
    """How many tiles all levels have."""
    total = count(size)
    while max(size) > SIDE:
        size = (-(-size[0] // 2), -(-size[1] // 2))
        total += count(size)
    return total


def _bytes(labels: Raster) -> int:
    return 2 * count(labels.size) * SIDE**2 * labels.dtype.itemsize


def _tiles(labels: Raster, progress: Callable[[], None]) -> Iterator[NDArray[Any]]:
    for place in places(labels.size):
        tile = np.zeros((SIDE, SIDE), labels.dtype)
        values = labels.read(place)
        tile[: values.shape[0], : values.shape[1]] = values
        progress()  # now, since nobody asks for more after the last
        yield tile


def _shrunk(labels: Raster, half: Raster) -> Raster:
    for rows, columns in places(half.size):
        double: Place = slice(2 * rows.start, 2 * rows.stop), slice(2 * columns.start, 2 * columns.stop)
        values = labels.read(double)[::2, ::2]
        if values.any():
            half.write((rows, columns), values)
    return half

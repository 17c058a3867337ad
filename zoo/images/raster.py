"""Maps too large for memory, in a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

Place = tuple[slice, slice]

SIDE = 512  # pixels, of the tiles that are read and written
CHUNK = 256  # pixels; 256 kB of floats, of which HDF5 keeps a few in memory


class Raster:
    """A map (H, W) in a file of its own; what was never written is 0 and takes no place. A context manager.

    Args:
        path: of the file, which is made.
        size: height and width.
        dtype: of its numbers.
    """

    def __init__(self, path: Path, size: tuple[int, int], dtype: DTypeLike) -> None:
        self.size, self.dtype = size, np.dtype(dtype)
        chunk = (min(CHUNK, size[0]), min(CHUNK, size[1]))
        self._file = h5py.File(path, "w", rdcc_nbytes=2**20)
        self._values = self._file.create_dataset("values", size, self.dtype, chunks=chunk, fillvalue=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the file."""
        self._file.close()

    def read(self, place: Place) -> NDArray[Any]:
        """These rows and columns, which lie within."""
        return np.asarray(self._values[place])

    def write(self, place: Place, values: NDArray[Any]) -> None:
        """Change these rows and columns."""
        self._values[place] = values

    def add(self, place: Place, values: NDArray[Any]) -> None:
        """Add to these rows and columns."""
        self._values[place] = self._values[place] + values


def places(size: tuple[int, int], side: int = SIDE) -> Iterator[Place]:
    """Tiles of `side` pixels, or what is left of one at the far edges, row by row."""
    for y in range(0, size[0], side):
        for x in range(0, size[1], side):
            yield slice(y, min(y + side, size[0])), slice(x, min(x + side, size[1]))


def count(size: tuple[int, int], side: int = SIDE) -> int:
    """How many `places` there are."""
    return -(-size[0] // side) * -(-size[1] // side)

"""The images and slides that are open, their Deep Zoom tiles, and regions of them at a resolution."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from math import ceil, log2
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from zoo.annotate.grid import PixelGrid
from zoo.annotate.refused import RefusedError
from zoo.annotate.root import Root, kind_of
from zoo.slides.part import opened
from zoo.slides.slide import Slide

TILE = 256
QUALITY = 85
MOST_OPEN = 16
MOST_TILE_BYTES = 64 * 2**20
Version = tuple[Path, int, int]
"""A file as it is: its path, time of change and size."""


@dataclass
class _Held:
    """An open file, which one thread uses at a time."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    slide: Slide | None = None


@dataclass(frozen=True)
class PictureFacts:
    """What is known of an image; see the API."""

    image: str
    kind: str
    width: int
    height: int
    mpp: float | None
    tile: int
    levels: int


class Pictures:
    """Opens images when they are asked for, and closes those that were not for the longest time.

    Args:
        root: where they lie.
        mpp: micrometres a pixel of all of them, in place of what their files say.
    """

    def __init__(self, root: Root, mpp: float | None = None) -> None:
        self.root, self.mpp = root, mpp
        self._held: OrderedDict[Version, _Held] = OrderedDict()
        self._tiles: OrderedDict[tuple[Version, int, int, int], bytes] = OrderedDict()
        self._tile_bytes = 0
        self._lock = threading.Lock()

    def about(self, name: str) -> PictureFacts:
        """Size, resolution and number of levels."""
        with self.open(name) as slide:
            width, height = slide.size
            kind = kind_of(self.root.file(name)) or "image"
            return PictureFacts(name, kind, width, height, slide.mpp, TILE, _levels(slide.size))

    def version(self, name: str) -> Version:
        """The file of an image as it is now."""
        path = self.root.file(name)
        facts = path.stat()
        return path, facts.st_mtime_ns, facts.st_size

    @contextmanager
    def open(self, name: str) -> Iterator[Slide]:
        """An image, for this thread alone.

        Raises:
            RefusedError: there is none of this name below the root.
            DataError: it can't be read.
        """
        version = self.version(name)
        with self._lock:
            held = self._held.setdefault(version, _Held())
            self._held.move_to_end(version)
            self._close_some()
        with held.lock:
            if held.slide is None:
                held.slide = opened(version[0], mpp=self.mpp)
            yield held.slide

    def tile(self, name: str, level: int, column: int, row: int) -> bytes:
        """A Deep Zoom tile as JPEG.

        Raises:
            RefusedError: there is no such tile.
        """
        key = (self.version(name), level, column, row)
        with self._lock:
            if key in self._tiles:
                self._tiles.move_to_end(key)
                return self._tiles[key]
        with self.open(name) as slide:
            levels = _levels(slide.size)
            down = 2.0 ** (levels - 1 - level) if 0 <= level < levels else 0.0
            width, height = (ceil(side / down) if down else 0 for side in slide.size)
            w, h = min(TILE, width - column * TILE), min(TILE, height - row * TILE)
            if min(column, row) < 0 or min(w, h) < 1:
                raise RefusedError(
                    404, f"{name!r} has no tile {level}/{column}_{row}; its levels are 0 to {levels - 1}"
                )
            pixels = slide.read(column * TILE * down, row * TILE * down, w, h, down)
        made = jpeg(pixels)
        with self._lock:
            self._tile_bytes += len(made) - len(self._tiles.get(key, b""))  # two may have made it at once
            self._tiles[key] = made
            while self._tile_bytes > MOST_TILE_BYTES:
                self._tile_bytes -= len(self._tiles.popitem(last=False)[1])
        return made

    def thumbnail(self, name: str, side: int) -> bytes:
        """The whole image as JPEG, its longer side at most `side` pixels."""
        with self.open(name) as slide:
            return jpeg(slide.thumbnail(side)[0])

    def read(self, name: str, grid: PixelGrid) -> NDArray[np.uint8]:
        """(H, W, 3) of a region's pixels."""
        height, width = grid.size
        with self.open(name) as slide:
            return slide.read(*grid.origin, width, height, grid.downsample)

    def close(self) -> None:
        """Close all files."""
        with self._lock:
            for held in self._held.values():
                with held.lock:
                    if held.slide is not None:
                        held.slide.close()
            self._held.clear()

    def _close_some(self) -> None:
        """Close what is beyond the number of open files and not in use."""
        for version, held in list(self._held.items())[: max(0, len(self._held) - MOST_OPEN)]:
            if held.lock.acquire(blocking=False):
                with suppress(Exception):
                    if held.slide is not None:
                        held.slide.close()
                held.slide = None
                del self._held[version]
                held.lock.release()


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """(H, W, 3) as a file."""
    turned = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", turned, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def _levels(size: tuple[int, int]) -> int:
    """Of a Deep Zoom pyramid, each half as large as the next, down to one pixel."""
    return ceil(log2(max(size))) + 1

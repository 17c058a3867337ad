"""What was said of one object of a field too large for memory, tile by tile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.interactions import Box, Click, Interaction, Interactions, Scribble
from zoo.ops.frame import Slices

LONGEST = 4096  # pixels of a line that has a raster of its own; a longer one is drawn in pieces, a pixel off at most


class Said:
    """Interactions in pixels of a field, given to tiles turn by turn.

    Args:
        given: all of one object, in pixels of the field.
        size: height and width of the field.
        boxes: whether boxes are read; else each is a click at its centre.
    """

    def __init__(self, given: Sequence[Interaction], size: tuple[int, int], boxes: bool) -> None:
        self.size = size
        self._turns: dict[int, list[Interaction]] = {}
        for each in given:
            one = each
            if isinstance(one, Box) and not boxes:
                one = Click((one.x0 + one.x1) / 2, (one.y0 + one.y1) / 2, turn=one.turn)
            if isinstance(one, Click):  # the far edges belong to the last pixels
                x, y = (side - 0.5 if at >= side else at for at, side in zip((one.x, one.y), size[::-1], strict=True))
                one = replace(one, x=x, y=y)
            self._turns.setdefault(each.turn, []).append(one)
        self._boxes = np.array([extent(each) for each in self._every()]).reshape(-1, 4)

    def reaches(self, place: Slices) -> bool:
        """Whether anything may have been said in these rows and columns."""
        rows, columns = place
        x0, y0, x1, y1 = self._boxes.T
        near = (x1 >= columns.start) & (x0 < columns.stop) & (y1 >= rows.start) & (y0 < rows.stop)
        return bool(near.any())

    def within(self, place: Slices) -> list[Interactions]:
        """One sample a turn in which something was said there, in pixels of the tile, in order.

        Clicks that lie in it, the parts of scribbles, and boxes that reach into it.
        """
        rows, columns = place
        size = (rows.stop - rows.start, columns.stop - columns.start)
        found = []
        for turn in sorted(self._turns):
            points, boxes, raster = [], [], np.zeros((2, *size), np.uint8)
            for each in self._turns[turn]:
                x0, y0, x1, y1 = extent(each)
                if isinstance(each, Scribble):
                    self._draw(each, place, raster[0 if each.positive else 1])
                elif isinstance(each, Click):
                    if columns.start <= each.x < columns.stop and rows.start <= each.y < rows.stop:
                        points.append([each.x - columns.start, each.y - rows.start, float(each.positive), turn])
                elif x1 > columns.start and x0 < columns.stop and y1 > rows.start and y0 < rows.stop:
                    boxes.append([x0 - columns.start, y0 - rows.start, x1 - columns.start, y1 - rows.start, turn])
            if points or boxes or raster.any():
                strokes = torch.from_numpy(raster.astype(bool))[None] if raster.any() else None
                found.append(Interactions(_columns(points, 4), size, strokes, _columns(boxes, 5)))
        return found

    def _every(self) -> list[Interaction]:
        return [each for turn in self._turns.values() for each in turn]

    def _draw(self, scribble: Scribble, place: Slices, onto: NDArray[np.uint8]) -> None:
        """The pixels that the same scribble has in a raster of the whole field."""
        rows, columns = place
        limit = (self.size[1] - 1, self.size[0] - 1)
        points = np.minimum(np.floor(np.asarray(scribble.points)).astype(np.int64), limit)
        thickness = max(1, round(scribble.width))
        low, high = np.array([columns.start, rows.start]), np.array([columns.stop, rows.stop])
        for line in _pieces(points):
            first, last = line.min(0) - thickness, line.max(0) + thickness + 1
            if (last <= low).any() or (first >= high).any():
                continue
            raster = np.zeros(tuple((last - first)[::-1]), np.uint8)
            cv2.polylines(raster, [(line - first).astype(np.int32).reshape(-1, 1, 2)], False, 1, thickness)
            start, stop = np.maximum(first, low), np.minimum(last, high)
            there = onto[start[1] - low[1] : stop[1] - low[1], start[0] - low[0] : stop[0] - low[0]]
            there |= raster[start[1] - first[1] : stop[1] - first[1], start[0] - first[0] : stop[0] - first[0]]


def _pieces(points: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Start and end (2, 2) of the lines between points (N, 2); a single point is a line, too."""
    for line in np.stack([np.concatenate([points[:1], points[:-1]]), points], 1):
        count = max(1, -(-int(abs(line[1] - line[0]).max()) // LONGEST))
        places = np.rint(np.linspace(line[0], line[1], count + 1)).astype(np.int64)
        yield from np.stack([places[:-1], places[1:]], 1)


def extent(each: Interaction) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 around all that belongs to an interaction."""
    if isinstance(each, Click):
        return each.x, each.y, each.x, each.y
    if isinstance(each, Box):
        return each.x0, each.y0, each.x1, each.y1
    x, y = np.asarray(each.points).T
    around = max(1, each.width)
    return float(x.min() - around), float(y.min() - around), float(x.max() + around), float(y.max() + around)


def _columns(rows: Sequence[Sequence[float]], count: int) -> Tensor:
    return torch.tensor([rows], dtype=torch.float32) if rows else torch.zeros(1, 0, count)

"""Rows and columns of an image, and frames of them."""

from __future__ import annotations

import math

from zoo.ops.frame import Frame, Slices


def shared(one: Slices, other: Slices) -> tuple[Slices, Slices] | None:
    """What two boxes of an image share: its rows and columns in the one, and in the other; None: nothing."""
    here, there = [], []
    for a, b in zip(one, other, strict=True):
        low, high = max(a.start, b.start), min(a.stop, b.stop)
        if low >= high:
            return None
        here.append(slice(low - a.start, high - a.start))
        there.append(slice(low - b.start, high - b.start))
    return (here[0], here[1]), (there[0], there[1])


def holds(outer: Slices, inner: Slices) -> bool:
    """Whether a box holds all of another."""
    return all(a.start <= b.start and b.stop <= a.stop for a, b in zip(outer, inner, strict=True))


def covering(frame: Frame, size: tuple[int, int]) -> Slices:
    """Rows and columns of an image of `size` on which the crop of a frame of one sample depends; one at least."""
    found = []
    for start, side, length in zip((frame.y0, frame.x0), frame.size, size, strict=True):
        # Interpolation looks one pixel further.
        low = math.floor(float(start)) - 1
        high = math.ceil(float(start) + side / float(frame.scale)) + 1
        low = min(max(low, 0), length - 1)
        found.append(slice(low, max(low + 1, min(high, length))))
    return found[0], found[1]


def shifted(frame: Frame, place: Slices) -> Frame:
    """The same crop, of an image that has been cut to these rows and columns."""
    rows, columns = place
    return Frame(frame.x0 - columns.start, frame.y0 - rows.start, frame.scale, frame.size)


def part(frame: Frame, place: Slices) -> Frame:
    """The frame that leads to these rows and columns of what a frame leads to."""
    rows, columns = place
    size = (rows.stop - rows.start, columns.stop - columns.start)
    return Frame(frame.x0 + columns.start / frame.scale, frame.y0 + rows.start / frame.scale, frame.scale, size)

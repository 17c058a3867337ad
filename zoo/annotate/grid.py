"""Where the pixels that a model sees of a region lie in the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zoo.annotate.refused import RefusedError
from zoo.interactions import Box, Click, Interaction, Scribble
from zoo.interactions.single import moved
from zoo.slides.slide import CALIBRATION

Region = tuple[float, float, float, float]
"""x, y, width and height in pixels of the image (level 0)."""

MOST_PIXELS = 4096 * 4096
"""Of a region at the resolution that a model works at."""
EDGE = 1e-6
"""Pixels that a place may lie outside by rounding."""


@dataclass(frozen=True)
class PixelGrid:
    """Pixels of a region at a scale.

    Attributes:
        origin: x, y of the top-left corner in pixels of the image (level 0).
        downsample: pixels of the image a pixel, a side; at least 1.
        size: height and width in pixels.
        mpp: micrometres a pixel; None if unknown.
    """

    origin: tuple[float, float]
    downsample: float
    size: tuple[int, int]
    mpp: float | None

    @property
    def region(self) -> Region:
        """What it covers."""
        height, width = self.size
        return *self.origin, width * self.downsample, height * self.downsample

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.size[0] * self.size[1]

    def as_json(self) -> dict[str, Any]:
        """As `of_json` takes it."""
        return {"origin": self.origin, "downsample": self.downsample, "size": self.size, "mpp": self.mpp}

    @classmethod
    def of_json(cls, values: dict[str, Any]) -> PixelGrid:
        """What `as_json` gave, also once it was written and read."""
        (x, y), (height, width) = values["origin"], values["size"]
        return cls((x, y), values["downsample"], (height, width), values["mpp"])

    def part(self, rows: slice, columns: slice) -> PixelGrid:
        """These rows and columns alone."""
        x, y = self.origin
        origin = (x + columns.start * self.downsample, y + rows.start * self.downsample)
        return PixelGrid(origin, self.downsample, (rows.stop - rows.start, columns.stop - columns.start), self.mpp)

    def within(self, given: Interaction) -> Interaction:
        """An interaction of the image as one of the grid's pixels.

        An image seldom is a whole number of them: what lies less than one behind the last belongs to the last.

        Raises:
            RefusedError: it lies outside.
        """
        here = moved(given, self.origin, self.downsample)
        height, width = self.size
        places = [(here.x, here.y)] if isinstance(here, Click) else []
        places += here.points if isinstance(here, Scribble) else []
        places += [(here.x0, here.y0), (here.x1, here.y1)] if isinstance(here, Box) else []
        for x, y in places:
            if not (-EDGE <= x < width + 1 and -EDGE <= y < height + 1):
                u, v = (start + each * self.downsample for start, each in zip(self.origin, (x, y), strict=True))
                x0, y0, w, h = self.region
                raise RefusedError(
                    422,
                    f"({u:g}, {v:g}) lies outside the object's region, which begins at ({x0:g}, {y0:g}) and is {w:g} x "
                    f"{h:g} pixels large; begin another object there, or stay inside",
                )
        return _clamped(here, width, height)


def grid_of(
    size: tuple[int, int], mpp: float | None, wanted: float | None, region: Region | None = None, fit: bool = False
) -> PixelGrid:
    """The pixels of a region, no finer than wanted; as fine as the image where either mpp is unknown.

    Args:
        size: width and height of the image.
        mpp: micrometres a pixel of it.
        wanted: those that a model works at.
        region: what of the image; what lies outside is cut off. None: all of it.
        fit: make a region that is too large coarser, in place of an error.

    Raises:
        RefusedError: nothing of the image lies in it, or it is too large.
    """
    left, top, w, h = (0.0, 0.0, *map(float, size)) if region is None else region
    x0, y0 = max(0.0, left), max(0.0, top)
    x1, y1 = min(float(size[0]), left + w), min(float(size[1]), top + h)
    if not (w > 0 and h > 0 and x1 - x0 >= 1 and y1 - y0 >= 1):
        raise RefusedError(
            422, f"the region has less than a pixel of the image of {size[0]} x {size[1]}; give another one"
        )
    down = _downsample(mpp, wanted)
    # Where the image is coarser than the model's, the model sees it enlarged.
    seen = down if mpp is None or wanted is None else min(down, wanted / mpp)
    if fit:
        down = max(down, ((x1 - x0) * (y1 - y0) / MOST_PIXELS) ** 0.5)
    elif (x1 - x0) * (y1 - y0) / seen**2 > MOST_PIXELS + 1:
        side = int(MOST_PIXELS**0.5 * seen)
        raise RefusedError(
            413,
            f"the region of {x1 - x0:g} x {y1 - y0:g} pixels is too large for this checkpoint; zoom in to at most "
            f"{side} x {side}, or take a checkpoint of a lower magnification",
        )
    if down == 1:  # whole pixels, so that none is read between two
        x0, y0, x1, y1 = int(x0), int(y0), -int(-x1 // 1), -int(-y1 // 1)
    height, width = (max(1, int(side / down + EDGE)) for side in (y1 - y0, x1 - x0))
    return PixelGrid((x0, y0), down, (height, width), None if mpp is None else mpp * down)


def _downsample(mpp: float | None, wanted: float | None) -> float:
    if mpp is None or wanted is None or wanted <= mpp:
        return 1.0
    factor = wanted / mpp
    near = round(factor)
    return float(near) if abs(factor - near) <= CALIBRATION * near else factor


def _clamped(each: Interaction, width: int, height: int) -> Interaction:
    """Without what lies a little outside."""

    def inside(x: float, y: float) -> tuple[float, float]:
        return min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height))

    if isinstance(each, Click):
        return Click(*inside(each.x, each.y), each.positive, each.turn)
    if isinstance(each, Scribble):
        return Scribble(tuple(inside(x, y) for x, y in each.points), each.positive, each.width, each.turn)
    return Box(*inside(each.x0, each.y0), *inside(each.x1, each.y1), each.turn)

"""What clients send of an object, points and a box, as what a checkpoint is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, dist

from zoo.annotate.models import About
from zoo.interactions import Box, Click, Interaction, Scribble

Point = tuple[float, float]

NEAR = 32.0
"""Pixels between the points of a line."""
LEAST = 3
"""Points of a line."""
MOST_CLICKS = 12
"""Of a line, for checkpoints that are told no lines."""
LEAST_SIDE = 2.0
"""Pixels of a box; a smaller one is a point."""


def told(
    about: About, positive: Sequence[Point] = (), negative: Sequence[Point] = (), box: Sequence[float] | None = None
) -> list[Interaction]:
    """Interactions that a checkpoint takes.

    Clients send the corners of what was drawn as points, so that a scribble arrives as many points, each near the last:
    these become a scribble again, or some clicks along it.

    Args:
        about: the checkpoint.
        positive: points in the object, in pixels; whole numbers mean a pixel, as clients count them.
        negative: points outside of it.
        box: x1, y1, x2, y2 around it.
    """
    out: list[Interaction] = []
    inside = list(positive)
    if box is not None:
        x0, y0, x1, y1 = box
        if min(x1 - x0, y1 - y0) >= LEAST_SIDE and about.takes("box"):
            out.append(Box(x0, y0, x1, y1))
        else:
            inside.insert(0, ((x0 + x1) / 2, (y0 + y1) / 2))
    for points, sign in ((inside, True), (list(negative), False)):
        for line in _lines([_centre(*point) for point in points]):
            if about.takes("scribble") and (len(line) >= LEAST or not about.takes("click")):
                out.append(Scribble(tuple(line), sign))
            else:
                step = ceil(len(line) / MOST_CLICKS) if len(line) >= LEAST else 1
                out += [Click(x, y, sign) for x, y in line[step // 2 :: step]]
    return out


def _lines(points: Sequence[Point]) -> Iterator[list[Point]]:
    """Runs of points that are near each other."""
    line: list[Point] = []
    for point in points:
        if line and dist(line[-1], point) > NEAR:
            yield line
            line = []
        line.append(point)
    if line:
        yield line


def _centre(x: float, y: float) -> Point:
    """A pixel's centre is half a pixel from its corner."""
    return (x + 0.5, y + 0.5) if x.is_integer() and y.is_integer() else (x, y)

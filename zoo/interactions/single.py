"""What a user gives at a time: a click, a scribble or a box."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

from zoo.errors import InteractionError

Kind = Literal["click", "scribble", "box"]


@dataclass(frozen=True)
class Click:
    """A point in image pixels; the centre of pixel (row r, column c) is x = c + 0.5, y = r + 0.5."""

    kind: ClassVar[Kind] = "click"
    x: float
    y: float
    positive: bool = True
    turn: int = 0


@dataclass(frozen=True)
class Scribble:
    """A polyline of (x, y) points in image pixels, drawn `width` pixels wide."""

    kind: ClassVar[Kind] = "scribble"
    points: tuple[tuple[float, float], ...]
    positive: bool = True
    width: float = 1.0
    turn: int = 0


@dataclass(frozen=True)
class Box:
    """A box around the object, in image pixels; x1 and y1 are its far edges."""

    kind: ClassVar[Kind] = "box"
    x0: float
    y0: float
    x1: float
    y1: float
    turn: int = 0


Interaction = Click | Scribble | Box

KINDS: dict[str, type[Interaction]] = {each.kind: each for each in get_args(Interaction)}
"""Every kind of interaction by its name, as JSON files and results call it."""


def moved(each: Interaction, origin: tuple[float, float], downsample: float) -> Interaction:
    """As it is in pixels of a part of the image that begins at x, y = `origin` and is shrunk by `downsample`."""
    x, y = origin
    if isinstance(each, Click):
        return replace(each, x=(each.x - x) / downsample, y=(each.y - y) / downsample)
    if isinstance(each, Scribble):
        points = tuple(((u - x) / downsample, (v - y) / downsample) for u, v in each.points)
        return replace(each, points=points, width=each.width / downsample)
    x0, x1, y0, y1 = ((v - o) / downsample for v, o in ((each.x0, x), (each.x1, x), (each.y0, y), (each.y1, y)))
    return replace(each, x0=x0, y0=y0, x1=x1, y1=y1)


def check(each: Interaction, size: tuple[int, int]) -> None:
    """Refuse what can't be given to an image of this height and width.

    Raises:
        InteractionError: it lies outside the image, is empty or not finite.
    """
    height, width = size
    if isinstance(each, Click):
        xy = [(each.x, each.y)]
    elif isinstance(each, Scribble):
        xy = list(each.points)
        if not xy:
            raise InteractionError("a scribble has no points; give at least one")
        if not 0 < each.width <= max(size):
            raise InteractionError(
                f"a scribble {each.width} pixels wide can't be drawn in an image of {width} x {height}"
            )
    else:
        xy = [(each.x0, each.y0), (each.x1, each.y1)]
        if not (each.x0 < each.x1 and each.y0 < each.y1):
            raise InteractionError(f"{each} is empty; x0 < x1 and y0 < y1 are needed")
    for x, y in xy:
        if not (0 <= x <= width and 0 <= y <= height):
            raise InteractionError(
                f"({x}, {y}) lies outside the image of {width} x {height} pixels; coordinates are pixels, "
                "x to the right and y downwards from the top-left corner"
            )

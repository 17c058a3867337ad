"""Outlines of regions and objects, and what is wrong with those that aren't any."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError


@dataclass(frozen=True)
class Outline:
    """One polygon of an annotation file.

    Attributes:
        rings: the outer ring and then the holes, each (K, 2) float64 x, y in level-0 pixels, K >= 3, where the last
            point is joined to the first without being repeated.
        name: its class, group or layer in the file; '' for none.
        number: the object it belongs to, counted from 1 in the order of the file; parts of one object share it.
        negative: the polygon is cut out of the others.
    """

    rings: tuple[NDArray[np.float64], ...]
    name: str = ""
    number: int = 1
    negative: bool = False


def coordinates(points: Iterable[Sequence[Any]], where: str) -> NDArray[np.float64]:
    """Points as (K, 2) float64.

    Args:
        points: x and y of each point, as numbers or as text.
        where: file and object, for messages.

    Raises:
        DataError: coordinates that aren't finite numbers.
    """
    vertices = []
    for point in points:
        try:
            x, y = float(point[0]), float(point[1])
        except (TypeError, ValueError, LookupError):
            problem = f"{where}: the point {point!r} is no pair of numbers; correct it or remove the object"
            raise DataError(problem) from None
        if not (math.isfinite(x) and math.isfinite(y)):
            raise DataError(f"{where}: the point ({x}, {y}) is nowhere; correct it or remove the object")
        vertices.append((x, y))
    return np.array(vertices, np.float64).reshape(-1, 2)


def ring(points: Iterable[Sequence[Any]], where: str) -> NDArray[np.float64]:
    """Points of a ring as `coordinates`; where the last repeats the first, it is left out.

    Raises:
        DataError: coordinates that aren't finite numbers, or fewer than three points.
    """
    vertices = coordinates(points, where)
    if len(vertices) > 1 and (vertices[0] == vertices[-1]).all():
        vertices = vertices[:-1]
    if len(vertices) < 3:
        raise DataError(f"{where}: {len(vertices)} point(s) enclose no area; correct the object or remove it")
    return vertices


def check_inside(outlines: Iterable[Outline], size: tuple[int, int], path: Path) -> None:
    """Refuse outlines that no pixel of the slide is in; those that are partly outside are cut off when drawn.

    Args:
        outlines: as read from `path`.
        size: width and height of the slide in level-0 pixels.
        path: the file, for the message.

    Raises:
        DataError: an outline is wholly outside the slide, as happens with the annotation of another slide.
    """
    for outline in outlines:
        low, high = outline.rings[0].min(0), outline.rings[0].max(0)
        if (high <= 0).any() or (low >= size).any():
            raise DataError(
                f"{path}: object {outline.number} ({outline.name or 'no name'}) lies from {tuple(low.tolist())} to "
                f"{tuple(high.tolist())}, outside the slide of {size[0]}x{size[1]} px. Is it another slide's file?"
            )

"""What a model needs to see of an image for clicks, and many objects in one run, each from a click."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zoo.annotate.grid import PixelGrid, Region
from zoo.annotate.models import Model
from zoo.annotate.refused import RefusedError
from zoo.inference.objects import likeliest_objects
from zoo.inference.session import Session
from zoo.interactions import Interaction

AROUND = 2.0
"""Side of the region of a click, in windows."""
SIDE = 256
"""The same in pixels of methods that see whole images."""
MOST_WHOLE = 100
"""Clicks at a time for methods that see whole images, one after the other."""


def check_count(model: Model, count: int) -> None:
    """Refuse more clicks than a model can be given at a time.

    Raises:
        RefusedError: it sees whole regions, and there are too many.
    """
    if model.engine.window is None and count > MOST_WHOLE:
        raise RefusedError(413, f"{model.name} sees whole regions; give it at most {MOST_WHOLE} clicks at a time")


def together(
    model: Model, pixels: NDArray[np.uint8], grid: PixelGrid, clicks: Sequence[Interaction]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(H, W): the number of the click, from 1, that a pixel belongs to, 0 none; and the probability that it does.

    The likeliest object wins a pixel.

    Args:
        model: what segments; its lock is taken.
        pixels: (H, W, 3) uint8 of the region.
        grid: where they lie.
        clicks: in pixels of the grid.
    """
    with model.lock:
        session = Session(model.engine, model.device)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an unknown mpp, which the answer says
            session.set_image(pixels, mpp=grid.mpp)
        labels, probability = likeliest_objects(session, [[click] for click in clicks])
    return labels.numpy().astype(np.int64), probability.numpy()


def side_around(model: Model, mpp: float | None) -> float:
    """Side of the region of a click, in pixels of an image of this resolution.

    Two windows: around a click at the region's edge, and beyond that what a correction may show.
    """
    return AROUND * (model.engine.window or SIDE) * scale(mpp, model.engine.mpp)


def region_around(points: Sequence[tuple[float, float]], side: float) -> Region:
    """What holds a square of this side around each point."""
    xs, ys = zip(*points, strict=True)
    x0, y0 = min(xs) - side / 2, min(ys) - side / 2
    return x0, y0, max(xs) + side / 2 - x0, max(ys) + side / 2 - y0


def scale(mpp: float | None, wanted: float | None) -> float:
    """Pixels of an image a pixel that a model sees."""
    return 1.0 if mpp is None or wanted is None else wanted / mpp

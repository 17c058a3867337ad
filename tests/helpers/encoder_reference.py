"""Every guidance map again: one pixel and one click at a time, in numpy."""

from collections.abc import Callable

import numpy as np

from zoo.interactions import Interactions


def distances(interactions: Interactions, strokes: bool = True) -> np.ndarray:
    """(B, 2, H, W) float64 to the nearest click or stroke pixel of each sign, inf where there is none."""
    return per_sign(interactions, lambda x, y, px, py: np.hypot(x - px, y - py), np.inf, min, strokes)


def per_sign(
    interactions: Interactions,
    value: Callable[[float, float, np.ndarray, np.ndarray], np.ndarray],
    empty: float,
    reduce: Callable[..., object],
    strokes: bool = True,
    clicks: bool = True,
) -> np.ndarray:
    """(B, 2, H, W): `value` of each interaction at every pixel centre, reduced with min or max."""
    height, width = interactions.size
    py, px = np.mgrid[:height, :width] + 0.5
    best = np.minimum if reduce is min else np.maximum
    out = np.full((len(interactions), 2, height, width), empty)
    for b in range(len(interactions)):
        for x, y, label, _ in interactions.points[b].double().tolist():
            if label >= 0 and clicks:
                channel = 0 if label == 1 else 1
                out[b, channel] = best(out[b, channel], value(x, y, px, py))
        if strokes and interactions.strokes is not None:
            for channel, row, column in interactions.strokes[b].nonzero().tolist():
                out[b, channel] = best(out[b, channel], value(column + 0.5, row + 0.5, px, py))
    return out


def same_pixel(x: float, y: float, px: np.ndarray, py: np.ndarray) -> np.ndarray:
    """1 at the pixel that holds x, y."""
    return ((np.floor(x) == np.floor(px)) & (np.floor(y) == np.floor(py))).astype(float)

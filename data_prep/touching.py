"""Canvases of touching cells made of single ones: deformed, resized, turned, blended (NuClick, section IV-A).

The paper says what is done and not how; what is chosen here: a smooth random bend, sizes within 15 %, any angle and
mirroring; cells pushed together until they touch; soft edges instead of gradient-domain cloning, which would let the
colours of neighbours that touch run into each other.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from data_prep.plan import Patch
from data_prep.smear import Cell, Ground, lay
from zoo.errors import ConfigError

# At most this part of a canvas is covered by cells: where they are larger, cells and background are shrunk.
COVERAGE = 0.4
# At most this part of a cell, or of the one it touches, may lie under the other.
HIDDEN = 0.08
SIZES = (0.85, 1.15)
# Amplitude and smoothness of the bend, as parts of the cell's diameter.
BEND, STIFFNESS = 0.08, 0.25
# Standard deviation in pixels of a cell's soft edge.
EDGE = 1.0
# Smallest diameter in pixels at which a cell is still worth looking at.
SMALLEST = 8
TRIES = 200


def canvas(
    cells: Sequence[Cell], grounds: Sequence[Ground], side: int, number: tuple[int, int], random: Generator
) -> Patch:
    """One image of touching cells.

    A heap grows from the middle: each cell is pushed away from one that lies there, until hardly any of it is hidden;
    what remains hidden is under the others. The colour of its background becomes that of the canvas.

    Args:
        cells: cells to draw from, none of them twice while there are enough.
        grounds: backgrounds to draw from.
        side: pixels of a side.
        number: least and most cells.
        random: source of all chance.

    Returns:
        Patch of (side, side); ids count the cells from 1, each with what is seen of it, an 8-connected piece.

    Raises:
        ConfigError: the side is too small for so many cells.
    """
    count = int(random.integers(number[0], number[1] + 1))
    chosen = [cells[i] for i in random.choice(len(cells), count, replace=count > len(cells))]
    areas = [int(cell.mask.sum()) for cell in chosen]
    scale = min(1.0, float(np.sqrt(COVERAGE * side**2 / sum(areas))))
    while scale * np.sqrt(min(areas)) >= SMALLEST:
        if (made := _heap(chosen, grounds, side, scale, random)) is not None:
            return made
        scale *= 0.9
    raise ConfigError(f"{count} cells do not fit a canvas of {side} pixels; give a larger --size or fewer --cells")


def deform(cell: Cell, scale: float, random: Generator) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A cell bent, turned, mirrored and resized: its colours (h, w, 3) float32 and its mask (h, w) bool, one piece."""
    factor = scale * float(random.uniform(*SIZES))
    height, width = cell.mask.shape
    diameter = factor * 2 * float(np.sqrt(cell.mask.sum() / np.pi))
    reach = int(np.ceil(np.hypot(height, width) * factor + 2 * BEND * diameter))
    angle, mirror = float(random.uniform(0, 2 * np.pi)), 1 - 2 * int(random.integers(2))
    y, x = np.mgrid[:reach, :reach] - (reach - 1) / 2 + _bend(reach, diameter, random)
    u = mirror * (np.cos(angle) * x - np.sin(angle) * y) / factor + (width - 1) / 2
    v = (np.sin(angle) * x + np.cos(angle) * y) / factor + (height - 1) / 2
    image: NDArray[Any] = cell.image.astype(np.float32)
    if factor < 1:
        # Samples further apart than the pixels would show patterns that are not in the image.
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / factor)
    places = u.astype(np.float32), v.astype(np.float32)
    colours = cv2.remap(image, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.remap(cell.mask.astype(np.float32), *places, cv2.INTER_LINEAR) >= 0.5
    return np.asarray(colours, np.float32), _largest(inside)


def _bend(side: int, diameter: float, random: Generator) -> NDArray[np.float64]:
    noise = random.uniform(-1, 1, (2, side, side))
    smooth = np.stack([cv2.GaussianBlur(part, (0, 0), max(1.0, STIFFNESS * diameter)) for part in noise])
    bend: NDArray[np.float64] = smooth * (BEND * diameter / np.abs(smooth).max())
    return bend


def _heap(cells: Sequence[Cell], grounds: Sequence[Ground], side: int, scale: float, random: Generator) -> Patch | None:
    label = np.zeros((side, side), np.int32)
    layers = []
    for identity, cell in enumerate(cells, start=1):
        image, mask = deform(cell, scale, random)
        window = _place(mask, label, random)
        if window is None:
            return None
        label[window][mask & (label[window] == 0)] = identity
        layers.append((window, image - cell.colour.astype(np.float32), mask))
    made = lay(grounds, side, scale, random)
    colour = np.median(made.reshape(-1, 3), axis=0)
    # From the lowest up, so that between two cells their own colours mix and no background shines through.
    for window, image, mask in reversed(layers):
        alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), EDGE)
        made[window] += alpha[..., None] * (image + colour - made[window])
    return Patch(np.clip(np.rint(made), 0, 255).astype(np.uint8), label)


def _place(mask: NDArray[np.bool_], label: NDArray[np.int32], random: Generator) -> tuple[slice, slice] | None:
    """Window of the label where the mask touches what is there, None if no place was found."""
    height, width = mask.shape
    middle = _centre(mask)
    if not label.any():
        start = np.array(label.shape) * random.uniform(0.4, 0.6, 2) - middle
        return _window(np.clip(start, 0, np.array(label.shape) - mask.shape), mask.shape)
    for _ in range(TRIES):
        other = label == random.integers(1, label.max() + 1)
        angle = random.uniform(0, 2 * np.pi)
        allowed = HIDDEN * min(mask.sum(), other.sum())
        start, step = _centre(other) - middle, np.array([np.sin(angle), np.cos(angle)])
        for distance in range(sum(label.shape)):
            y, x = np.rint(start + distance * step)
            if not (0 <= y <= label.shape[0] - height and 0 <= x <= label.shape[1] - width):
                break
            window = _window((y, x), mask.shape)
            taken = label[window] > 0
            # One pixel ago more than this was hidden, so here the two touch at least.
            if (mask & taken).sum() <= allowed:
                if _is_one_piece(mask & ~taken):
                    return window
                break
    return None


def _window(corner: Sequence[float] | NDArray[np.floating], shape: tuple[int, ...]) -> tuple[slice, slice]:
    y, x = int(corner[0]), int(corner[1])
    return slice(y, y + shape[0]), slice(x, x + shape[1])


def _centre(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.argwhere(mask).mean(axis=0)  # type: ignore[no-any-return]


def _is_one_piece(mask: NDArray[np.bool_]) -> bool:
    return bool(cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0] == 2)


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    largest: NDArray[np.bool_] = pieces == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return largest

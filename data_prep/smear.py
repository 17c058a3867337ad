"""Takes images of single cells apart, and lays a background without cells out of what lies around them."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

# Pixels this near to a cell are its halo, not background.
MARGIN = 4
# Pixels over which the edge of a piece of background fades.
EDGE = 8
# A background is laid of pieces of so many images: colours of one smear, without the same red cell everywhere.
IMAGES = 4


@dataclass(frozen=True)
class Cell:
    """A single cell: image (h, w, 3) uint8 with its surroundings, mask (h, w) bool, colour of its background (3,)."""

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    colour: NDArray[np.float64]


@dataclass(frozen=True)
class Ground:
    """An image (H, W, 3) uint8, how much of each pixel is background (H, W) float32 in [0, 1], its colour (3,)."""

    image: NDArray[np.uint8]
    alpha: NDArray[np.float32]
    colour: NDArray[np.float64]


def take_apart(image: NDArray[np.uint8], cells: NDArray[np.int32]) -> tuple[list[Cell], Ground | None]:
    """Whole cells of an image (H, W, 3) with labels (H, W), and its background; None if there is too little of it.

    Cells at the border or beside another one are cut off there and left out.
    """
    near = _dilate(cells > 0, MARGIN)
    # What fades on all sides is nowhere a full piece of background.
    inside = np.pad(~near, 1)[..., None].astype(np.uint8)
    alpha = np.minimum(cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1] / EDGE, 1)
    if (alpha == 1).mean() < 0.02:
        return [], None
    ground = Ground(image, alpha.astype(np.float32), np.median(image[~near], axis=0))
    found = []
    for value in np.unique(cells[cells > 0]):
        mask = cells == value
        y0, y1, x0, x1 = _box(mask)
        cut = y0 == 0 or x0 == 0 or y1 == mask.shape[0] or x1 == mask.shape[1]
        if cut or (cells[_dilate(mask, 1) & ~mask] > 0).any():
            continue
        window = slice(max(y0 - MARGIN, 0), y1 + MARGIN), slice(max(x0 - MARGIN, 0), x1 + MARGIN)
        found.append(Cell(image[window], mask[window], ground.colour))
    return found, ground


def lay(grounds: Sequence[Ground], side: int, scale: float, random: Generator) -> NDArray[np.float32]:
    """A background (side, side, 3) of soft-edged pieces of a few images, turned, mirrored, resized by `scale`.

    Pieces are laid where there is none yet, over what lies beside them, and shifted to one colour.
    """
    few = [grounds[i] for i in random.choice(len(grounds), min(IMAGES, len(grounds)), replace=False)]
    pieces = [_piece(ground, few[0].colour, scale) for ground in few]
    # Room around the canvas, so that pieces may reach beyond it.
    room = max(max(alpha.shape) for _, alpha in pieces)
    made = np.empty((side + 2 * room, side + 2 * room, 3), np.float32)
    made[:] = few[0].colour
    bare = np.zeros(made.shape[:2], bool)
    bare[room:-room, room:-room] = True
    while len(holes := np.flatnonzero(bare)):
        image, alpha = _turned(*pieces[random.integers(len(pieces))], random)
        full = np.flatnonzero(alpha == 1)
        y, x = np.divmod(holes[random.integers(len(holes))], bare.shape[1])
        v, u = np.divmod(full[random.integers(len(full))], alpha.shape[1])
        window = slice(y - v, y - v + alpha.shape[0]), slice(x - u, x - u + alpha.shape[1])
        made[window] += alpha[..., None] * (image - made[window])
        bare[window] &= alpha < 1
    return made[room:-room, room:-room]


def _piece(
    ground: Ground, colour: NDArray[np.float64], scale: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    height, width = (max(1, round(length * scale)) for length in ground.alpha.shape)
    image = cv2.resize(ground.image.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(ground.alpha, (width, height), interpolation=cv2.INTER_AREA)
    # Shrinking may leave no pixel at exactly 1.
    return np.asarray(image + (colour - ground.colour), np.float32), np.asarray(alpha / alpha.max(), np.float32)


def _turned(
    image: NDArray[np.float32], alpha: NDArray[np.float32], random: Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    turns, step = int(random.integers(4)), 1 - 2 * int(random.integers(2))
    return np.rot90(image, turns)[:, ::step], np.rot90(alpha, turns)[:, ::step]


def _box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _dilate(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    size = 2 * by + 1
    wide: NDArray[np.bool_] = cv2.dilate(mask.astype(np.uint8), np.ones((size, size), np.uint8)) > 0
    return wide

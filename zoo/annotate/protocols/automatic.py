"""All objects of a picture, found by clicking everywhere on a grid."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from zoo.annotate.grid import PixelGrid, grid_of
from zoo.annotate.models import About, Model
from zoo.annotate.protocols.prompts import Answered, Prompts, RegionSource
from zoo.annotate.refused import RefusedError
from zoo.annotate.shapes import Mask, bounding_box
from zoo.annotate.together import MOST_WHOLE
from zoo.inference.session import Session
from zoo.interactions import Click

MOST_SIDE = 32
"""Points a side of models that work in a window."""
SAME = 0.8
"""Least overlap of an object with what a click into its middle gives: what is none is another one each time."""
LEAST_AREA = 16
"""Pixels of an object."""
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Wanted(BaseModel):
    """Which objects are wanted; what else clients say is about networks of another kind.

    Attributes:
        points_per_side: of the grid.
        pred_iou_thresh: least quality.
        box_nms_thresh: most overlap, intersection over union, with a better object.
        min_mask_region_area: least area in pixels.
        include_image_edge: whether those that touch the picture's edge count.
    """

    points_per_side: Annotated[int, Field(ge=1, le=1000)] = 16
    pred_iou_thresh: Share = 0.88
    box_nms_thresh: Share = 0.2
    min_mask_region_area: Annotated[int, Field(ge=0, le=10**9)] = 0
    include_image_edge: bool = False


def everything(here: Prompts, about: About, source: RegionSource, wanted: Wanted) -> list[Answered]:
    """Objects that do not overlap, the best first.

    Raises:
        RefusedError: the checkpoint is told no clicks, or too many are asked for.
    """
    model = here.models.get(about.name)
    if not about.takes("click"):
        raise RefusedError(422, f"{about.name} is told no clicks, so it can't look for objects; choose another one")
    most = MOST_SIDE if model.engine.window is not None else int(MOST_WHOLE**0.5)
    if wanted.points_per_side > most:
        raise RefusedError(413, f"{about.name} takes at most {most} points per side; give fewer, and zoom in")
    grid = grid_of(source.size, source.mpp, None)
    found = sorted(_each(model, source.read(grid), grid, wanted), key=lambda each: -each[0])
    return list(_apart(found, grid, wanted))


def _each(
    model: Model, pixels: NDArray[np.uint8], grid: PixelGrid, wanted: Wanted
) -> Iterator[tuple[float, tuple[slice, slice], Mask]]:
    """Quality, place and mask of what is found at each point that no good object holds yet."""
    height, width = grid.size
    taken = np.zeros(grid.size, bool)
    session = Session(model.engine, model.device)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an unknown mpp, which was chosen
        session.set_image(pixels, mpp=grid.mpp)
    steps = (np.arange(wanted.points_per_side) + 0.5) / wanted.points_per_side
    for y in steps * height:
        for x in steps * width:
            if taken[int(y), int(x)]:
                continue
            mask, quality = _clicked(model, session, float(x), float(y))
            box = bounding_box(mask)
            if box is None or not mask[int(y), int(x)] or quality < wanted.pred_iou_thresh:
                continue
            inside = mask[box].copy()
            if inside.sum() < max(LEAST_AREA, wanted.min_mask_region_area):
                continue
            again, _ = _clicked(model, session, *_middle(inside, box))
            if (again & mask).sum() >= SAME * (again | mask).sum():
                taken[box] |= inside
                yield quality, box, inside


def _clicked(model: Model, session: Session, x: float, y: float) -> tuple[Mask, float]:
    """The mask (H, W) of a click, and the mean probability within."""
    with model.lock:  # for a click alone: others want it, too
        mask = np.asarray(session.add(Click(x, y))[0, 0].cpu().numpy(), bool)
        probability = session.probability[0, 0].cpu().numpy()
        session.undo()
    return mask, float(probability[mask].mean()) if mask.any() else 0.0


def _middle(inside: Mask, box: tuple[slice, slice]) -> tuple[float, float]:
    """The centre of the pixel farthest from the mask's edge."""
    depth = cv2.distanceTransform(np.pad(inside, 1).view(np.uint8), cv2.DIST_L2, 5)
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(box[1].start + column - 0.5), float(box[0].start + row - 0.5)


def _apart(found: list[tuple[float, tuple[slice, slice], Mask]], grid: PixelGrid, wanted: Wanted) -> Iterator[Answered]:
    """Without those that a better one covers; what two share belongs to the better one."""
    owner = np.zeros(grid.size, np.int32)
    areas: list[int] = [0]
    for quality, box, mask in found:
        shared = np.bincount(owner[box][mask], minlength=len(areas))[1:]
        union = np.array(areas[1:]) + mask.sum() - shared
        free = mask & (owner[box] == 0)
        at_edge = any(each.start == 0 or each.stop == side for each, side in zip(box, grid.size, strict=True))
        if (shared > wanted.box_nms_thresh * union).any() or free.sum() < LEAST_AREA:
            continue
        if at_edge and not wanted.include_image_edge:
            continue
        owner[box][free] = len(areas)
        areas.append(int(mask.sum()))
        yield Answered(free, grid.part(*box), min(max(quality, 0.0), 1.0))

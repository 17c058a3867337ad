"""Many objects of a field too large for memory, each in a window around what was said of it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.errors import InteractionError
from zoo.images.raster import Raster, count, places
from zoo.inference.given import GivenObjects
from zoo.inference.large import Progress, nothing
from zoo.inference.oneshot import OneShot
from zoo.inference.painted import PaintedObject
from zoo.inference.resolution import working_frame
from zoo.inference.said import extent
from zoo.inference.session import Session
from zoo.inference.working import WorkingImage
from zoo.interactions import Interaction
from zoo.interactions.single import moved
from zoo.ops.frame import Frame, Slices
from zoo.ops.places import covering, part, shifted
from zoo.slides.field import Field

SIDE = 2048  # pixels of a tile


def segment_many(
    session: Session,
    field: Field,
    objects: Sequence[Sequence[Interaction]],
    labels: Raster,
    progress: Progress = nothing,
) -> list[PaintedObject]:
    """`segment_objects` of a field of any size, tile by tile: the same label image, in a file.

    A tile is segmented with all around it that its pixels depend on: objects whose windows reach into it, and those
    that lie in these windows. What is in memory is a tile with its surroundings; tiles without objects cost nothing.

    Args:
        session: a loaded checkpoint whose engine works in windows.
        field: what is segmented.
        objects: one list of interactions an object, in pixels of the field.
        labels: becomes the label image, of a type that holds all ids.
        progress: told tile by tile.

    Returns:
        What the label image holds of each object.

    Raises:
        InteractionError: an object is larger than a tile.
    """
    scale = session.mpp / field.mpp if session.mpp is not None and field.mpp is not None else 1.0
    window = math.ceil((session.engine.window or 0) * max(scale, 1.0)) + 1
    boxes = np.array([_box(each) for each in objects], np.float64).reshape(-1, 4)
    for number in np.flatnonzero((boxes[:, 2:] - boxes[:, :2]).max(1) > SIDE)[:1].tolist():
        raise InteractionError(
            f"object {number + 1} (objects[{number}]) is more than {SIDE} px long, but the method works in windows of "
            f"{session.engine.window} px; if these are many objects, leave out --one-object"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an unknown mpp, which the command has told
        frame = working_frame(1, field.size, field.mpp, session.mpp, session.device)
    found = [PaintedObject() for _ in objects]
    total = count(field.size, SIDE)
    for done, place in enumerate(places(field.size, SIDE), 1):
        tile = _xyxy(place)
        reaching = _meet(boxes, _wider(tile, window))
        if reaching.any():
            seen = _hull(np.concatenate([tile[None], boxes[reaching]]), window)
            within = _meet(boxes, seen)
            around = _clipped(_hull(np.concatenate([seen[None], boxes[within]]), 0), field.size)
            numbers = np.flatnonzero(within)
            image = _image(field, around, frame, session.device)
            here = [_moved(objects[number], around) for number in numbers.tolist()]
            given = GivenObjects.of_lists(here, image.given_size, session.device)
            local, best = (each.numpy() for each in OneShot().likeliest(session.engine, image, given))
            inner = _inner(place, around)
            ids = np.concatenate([[0], numbers + 1])[local[inner]]
            labels.write(place, ids.astype(labels.dtype))
            for number in np.unique(ids[ids > 0]).tolist():
                found[number - 1].see(ids == number, best[inner], place)
        progress(done, total)
    return found


def _image(field: Field, place: Slices, frame: Frame | None, device: torch.device) -> WorkingImage:
    """These rows and columns; the pixels that are worked in lie where those of the whole field do."""
    pixels = torch.from_numpy(np.require(field.read(place), requirements="W")).permute(2, 0, 1)[None].to(device)
    if frame is None:
        return WorkingImage(pixels)
    worked_in = covering(part(frame.inverse(field.size), place), frame.size)
    return WorkingImage(pixels, shifted(part(frame, worked_in), place))


def _moved(given: Sequence[Interaction], place: Slices) -> list[Interaction]:
    rows, columns = place
    return [moved(each, (columns.start, rows.start), 1.0) for each in given]


def _box(given: Sequence[Interaction]) -> tuple[float, float, float, float]:
    """x, y of the first and of the last place of an object."""
    x0, y0, x1, y1 = zip(*map(extent, given), strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def _xyxy(place: Slices) -> NDArray[np.float64]:
    rows, columns = place
    return np.array([columns.start, rows.start, columns.stop, rows.stop], np.float64)


def _wider(box: NDArray[np.float64], by: float) -> NDArray[np.float64]:
    return np.asarray(box + np.array([-by, -by, by, by]))


def _meet(boxes: NDArray[np.float64], box: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of the boxes (N, 4) reach into one."""
    return np.asarray((boxes[:, :2] <= box[2:]).all(1) & (boxes[:, 2:] >= box[:2]).all(1))


def _hull(boxes: NDArray[np.float64], margin: float) -> NDArray[np.float64]:
    return _wider(np.concatenate([boxes[:, :2].min(0), boxes[:, 2:].max(0)]), margin)


def _clipped(box: NDArray[np.float64], size: tuple[int, int]) -> Slices:
    x0, y0, x1, y1 = box.tolist()
    rows = slice(max(0, math.floor(y0)), min(size[0], math.ceil(y1)))
    return rows, slice(max(0, math.floor(x0)), min(size[1], math.ceil(x1)))


def _inner(place: Slices, around: Slices) -> Slices:
    rows, columns = (
        slice(each.start - start.start, each.stop - start.start) for each, start in zip(place, around, strict=True)
    )
    return rows, columns

"""What is answered of an object."""

from __future__ import annotations

from typing import Any

from zoo.annotate.document import History
from zoo.annotate.grid import PixelGrid
from zoo.annotate.journal import Kept
from zoo.annotate.shapes import Mask, bounding_box
from zoo.interactions.wire import written


def seen_of(grid: PixelGrid, mask: Mask, threshold: float, model: float, whole: float) -> dict[str, Any]:
    """What is kept of a mask that was made at a threshold, and took the model and all together these seconds."""
    box = bounding_box(mask)
    bounds = None if box is None else list(grid.part(*box).region)
    return {
        "grid": grid.as_json(),
        "pixels": int(mask.sum()),
        "bounds": bounds,
        "threshold": threshold,
        "milliseconds": {"model": round(1000 * model, 2), "all": round(1000 * whole, 2)},
    }


def answer(kept: Kept, history: History) -> dict[str, Any]:
    """An object as the API gives it."""
    grid = PixelGrid.of_json(kept.seen["grid"])
    pixels = kept.seen["pixels"]
    return {
        "id": kept.id,
        "image": kept.image,
        "region": list(grid.region),
        "mpp": grid.mpp,
        "size": list(grid.size),
        "checkpoint": history.about["checkpoint"],
        "class": history.about["class"],
        "threshold": kept.seen["threshold"],
        "parent": kept.made.get("parent"),
        "revision": kept.revision,
        "interactions": [{"id": number, **written(each), "turn": turn} for number, turn, each in history.said],
        "edits": [
            {"id": edit.number, "polygon": [list(point) for point in edit.polygon], "add": edit.add, "turn": turn}
            for turn, edit in history.edits
        ],
        "undo": len(history.past),
        "redo": len(history.future),
        "area": pixels * grid.downsample**2,
        "area_um2": None if grid.mpp is None else pixels * grid.mpp**2,
        "milliseconds": kept.seen["milliseconds"],
        "bounds": kept.seen["bounds"],
    }

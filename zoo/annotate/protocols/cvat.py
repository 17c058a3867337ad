"""CVAT's interactors, as it asks Nuclio for them: an image with points, to a mask."""

from __future__ import annotations

import re
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Header, Path, Request, Response
from pydantic import BaseModel, Field

from zoo.annotate.messages import MOST_CLICKS, Number, Point
from zoo.annotate.models import About
from zoo.annotate.protocols.prompts import Asked, Prompts, part_of, sent
from zoo.annotate.protocols.sent import decoded, picture
from zoo.annotate.protocols.told import told
from zoo.annotate.refused import RefusedError
from zoo.annotate.shapes import Mask

PORT = 80
Function = dict[str, Any]
Points = Annotated[list[Point], Field(max_length=MOST_CLICKS)]

router = APIRouter()


class Invocation(BaseModel):
    """An image, and what is said of one object in it."""

    image: str
    pos_points: Points = []
    neg_points: Points = []
    obj_bbox: Annotated[list[Point | Number], Field(max_length=4)] | None = None


@router.get("/api/functions")
def functions(here: Asked, request: Request) -> dict[str, Function]:
    """An interactor a checkpoint, by its id."""
    return {_id(name): _function(about, request) for name, about in here.models.known.items()}


@router.get("/api/functions/{function}")
def function(here: Asked, request: Request, function: Annotated[str, Path(max_length=300)]) -> Function:
    """One of them."""
    return _function(_about(here, function), request)


@router.post("/api/function_invocations")
def invoke(
    here: Asked, body: Invocation, function: Annotated[str, Header(alias="x-nuclio-function-name", max_length=300)]
) -> Response:
    """The mask of an object, as rows of 0 and 1, of the size of the image."""
    return _answer(here, _about(here, function).name, body)


@router.post("/")
def invoke_directly(here: Asked, body: Invocation) -> Response:
    """The same with the default checkpoint: CVAT names none where it asks a function at its own port."""
    return _answer(here, here.models.default, body)


def _answer(here: Prompts, name: str, body: Invocation) -> Response:
    about, mpp = here.chosen(name)
    content = decoded(body.image, "image")
    pixels = picture(content, "image")
    found = here.one(about.name, sent(content, pixels, mpp), told(about, body.pos_points, body.neg_points, _box(body)))
    mask = np.zeros(pixels.shape[:2], bool)
    mask[part_of(found.grid)] = found.mask
    return Response(_written(mask), media_type="application/json")


def _written(mask: Mask) -> bytes:
    """`{"mask": [[0, 1], ...]}`, a hundred times as fast as number by number."""
    digits = np.full((*mask.shape, 2), ord(","), np.uint8)
    digits[..., 0] = mask + np.uint8(ord("0"))
    rows = [row.tobytes()[:-1] for row in digits]
    return b'{"mask":[[' + b"],[".join(rows) + b"]]}"


def _box(body: Invocation) -> list[float] | None:
    """x1, y1, x2, y2 of two corners, or of these four numbers."""
    if not body.obj_bbox:
        return None
    flat = [float(v) for each in body.obj_bbox for v in (each if isinstance(each, tuple) else (each,))]
    if len(flat) != 4:
        raise RefusedError(422, f"obj_bbox: {len(flat)} numbers; give two corners, [[x1, y1], [x2, y2]]")
    x, y = flat[0::2], flat[1::2]
    return [min(x), min(y), max(x), max(y)]


def _about(here: Prompts, function: str) -> About:
    for name, about in here.models.known.items():
        if _id(name) == function or name == function:
            return about
    raise RefusedError(404, f"there is no function {function!r}; GET /api/functions lists those there are")


def _id(name: str) -> str:
    """A name of letters that CVAT's addresses take."""
    return re.sub(r"[^a-zA-Z0-9_.-]+", ".", name).strip(".")


def _function(about: About, request: Request) -> Function:
    own = "" if about.mpp is None else f", trained at {about.mpp:g} um/px"
    annotations = {
        "name": f"isegzoo: {about.title}"[:100],
        "type": "interactor",
        "spec": "",
        "framework": "pytorch",
        "version": "2",
        "min_pos_points": "1",
        "min_neg_points": "0",
        "help_message": f"Click into the object; further points add to it or take away ({about.name}{own})",
        "animated_gif": "",
    }
    return {
        "metadata": {"name": _id(about.name), "namespace": "nuclio", "annotations": annotations},
        "spec": {"description": about.title},
        "status": {"state": "ready", "httpPort": request.url.port or PORT},
    }

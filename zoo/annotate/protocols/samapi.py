"""samapi, as QuPath's SAM extension asks it: a picture of what the viewer shows, with points or a box, to polygons.

The client sends no resolution: a checkpoint is offered once for each that a viewer may have, and its name says it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from zoo.annotate.messages import Name, Number, Point
from zoo.annotate.models import About
from zoo.annotate.protocols.automatic import Wanted, everything
from zoo.annotate.protocols.prompts import Answered, Asked, Prompts, sent
from zoo.annotate.protocols.sent import decoded, mask, picture
from zoo.annotate.protocols.told import told
from zoo.annotate.refused import RefusedError

TYPES = ("vit_h", "vit_l", "vit_b", "vit_t", "sam2_l", "sam2_bp", "sam2_s", "sam2_t", "sam3")
"""Of networks, from which people choose in the client; every checkpoint is offered under each."""
VIEWED = {0.25: "40x", 0.5: "20x", 1.0: "10x", 2.0: "5x", 4.0: "2.5x"}
"""Micrometres a pixel at which slides are looked at."""
FINER, COARSER = 2.0, 4.0
"""How much finer and coarser than a checkpoint's own a picture may be."""
MOST_POINTS = 20_000
MOST_ADDED = 100
Feature = dict[str, Any]

router = APIRouter(prefix="/sam")


@dataclass
class SamNames:
    """What clients see of checkpoints: names that some gave to them, by these, and which is being loaded."""

    added: dict[str, str] = field(default_factory=dict)
    loading: str | None = None


class SamWeights(BaseModel):
    """A checkpoint that somebody names."""

    type: Name = "vit_b"
    name: Name
    url: Name


class SamPicture(BaseModel):
    """What all requests hold."""

    type: Name | None = None
    b64img: str
    checkpoint_url: Name | None = None


class SamPrompt(SamPicture):
    """One object. The answer is a single one, whatever `multimask_output` says: the best, for each way to choose."""

    bbox: tuple[Number, Number, Number, Number] | None = None
    point_coords: Annotated[list[Point], Field(max_length=MOST_POINTS)] | None = None
    point_labels: Annotated[list[Literal[0, 1]], Field(max_length=MOST_POINTS)] | None = None
    b64mask: str | None = None


class SamAutomatic(SamPicture, Wanted):
    """All objects."""


@router.get("/version", response_class=PlainTextResponse)
def sam_version() -> str:
    """The server's version."""
    return version("isegzoo")


@router.get("/weights")
def weights(here: Asked, request: Request, type: Annotated[str, Query(max_length=40)] = "vit_b") -> list[Feature]:
    """Checkpoints, each for several resolutions of the viewer; never none."""
    kind = type if type in TYPES else "vit_b"
    named = list(_names(request).added.items())
    return [{"type": kind, "name": name, "url": url} for url, name in [*named, *_offered(here)]]


@router.post("/weights", response_class=PlainTextResponse)
def add_weights(here: Asked, request: Request, body: SamWeights) -> str:
    """Load a checkpoint, at any resolution (`NAME@MPP`), and offer it under a name."""
    about, mpp = here.chosen(body.url)
    names = _names(request)
    if len(names.added) >= MOST_ADDED and body.url not in names.added:
        raise RefusedError(409, f"{MOST_ADDED} names were added already; restart the server to begin anew")
    names.loading = f"loading {about.name}"
    try:
        here.models.get(about.name)
    finally:
        names.loading = None
    names.added[body.url] = body.name
    seen = "of unknown resolution" if mpp is None else f"at {mpp:g} um/px"
    return f"{body.name}: {about.title}, for pictures {seen}"


@router.get("/weights/cancel", response_class=PlainTextResponse)
def cancel() -> str:
    """Downloads are short, and go on where they broke off."""
    return "Nothing to cancel: what was downloaded so far is kept."


@router.get("/progress")
def progress(request: Request) -> dict[str, str | int | None]:
    """What is being loaded; how far it is, is not known."""
    return {"message": _names(request).loading, "percent": -1}


@router.post("")
def segment(here: Asked, body: SamPrompt) -> list[Feature]:
    """One object, as GeoJSON in pixels of the picture; an empty list where nothing was found."""
    about, mpp = here.chosen(body.checkpoint_url)
    points, labels = body.point_coords or [], body.point_labels or []
    if len(points) != len(labels):
        raise RefusedError(422, f"{len(points)} point_coords and {len(labels)} point_labels; give one label a point")
    content = decoded(body.b64img, "b64img")
    pixels = picture(content, "b64img")
    height, width = pixels.shape[:2]
    start = None if body.b64mask is None else mask(decoded(body.b64mask, "b64mask"), "b64mask", (height, width))
    inside = [point for point, label in zip(points, labels, strict=True) if label]
    outside = [point for point, label in zip(points, labels, strict=True) if not label]
    box = None if body.bbox is None else _clipped(body.bbox, width, height)
    found = here.one(about.name, sent(content, pixels, mpp), told(about, inside, outside, box), start)
    return list(_features([found], about))


@router.post("/automask")
def segment_all(here: Asked, body: SamAutomatic) -> list[Feature]:
    """All nuclei that are found, the best first; checkpoints for other objects are refused."""
    about, mpp = here.chosen(body.checkpoint_url)
    content = decoded(body.b64img, "b64img")
    source = sent(content, picture(content, "b64img"), mpp)
    return list(_features(everything(here, about, source, body), about))


@router.post("/sam3")
@router.post("/upload")
@router.post("/video")
@router.post("/sam3video")
def not_here(request: Request) -> None:
    """Text prompts and videos."""
    raise RefusedError(
        404, f"{request.url.path}: no text prompts and no videos here; draw points, lines or a rectangle instead"
    )


def _offered(here: Prompts) -> Iterator[tuple[str, str]]:
    """Each checkpoint's id and name, the default one first."""
    known = here.models.known
    for name in sorted(known, key=lambda each: each != here.models.default):
        own = known[name].mpp
        if own is not None:
            fitting = [mpp for mpp in VIEWED if own / FINER <= mpp <= own * COARSER]
            for mpp in sorted(fitting, key=lambda mpp: max(mpp / own, own / mpp)):
                yield f"{name}@{mpp:g}", f"{name} at {VIEWED[mpp]}, {mpp:g} um/px"
        yield name, f"{name} {'at any resolution' if own is None else f'at its own {own:g} um/px'}"


def _names(request: Request) -> SamNames:
    if not hasattr(request.app.state, "sam_names"):
        request.app.state.sam_names = SamNames()
    return cast(SamNames, request.app.state.sam_names)


def _clipped(box: tuple[float, float, float, float], width: int, height: int) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = box
    return (max(0.0, min(x0, x1)), max(0.0, min(y0, y1)),
            min(float(width), max(x0, x1)), min(float(height), max(y0, y1)))  # fmt: skip


def _features(objects: list[Answered], about: About) -> Iterator[Feature]:
    """Without `object_idx`, which the client would take for a class, and without a name, which it makes itself."""
    for found in objects:
        geometry = found.geometry
        if geometry is not None:
            properties = {"objectType": "annotation", "quality": round(found.quality, 4), "checkpoint": about.name}
            yield {"type": "Feature", "geometry": geometry, "properties": properties}

"""What can be looked at: checkpoints, folders, images, tiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from zoo.annotate.service import Answer, Here, ImageName

router = APIRouter(prefix="/api")
KEEP = "private, no-cache"
"""Asked for again each time: another server at this address may show an image of the same name."""


@router.get("/about")
def about(here: Here) -> Answer:
    """Version, checkpoints and classes."""
    checkpoints = [
        {"name": e.name, "title": e.title, "task": e.task, "interaction": e.interaction, "told": e.told,
         "mpp": e.mpp, "licence": e.licence}
        for e in here.models.known.values()
    ]  # fmt: skip
    classes = [{"name": name, "colour": colour} for name, colour in here.classes]
    return {
        "version": version("isegzoo"),
        "default": here.models.default,
        "checkpoints": checkpoints,
        "classes": classes,
    }


@router.get("/images")
def images(here: Here, folder: Annotated[str, Query(max_length=1000)] = "") -> Answer:
    """Folders, images and slides of a folder, with how many objects each has."""
    counts = here.journal.counts()
    entries = [
        {
            **asdict(entry),
            "objects": counts.get(entry.path, 0) if entry.kind != "folder" else _below(counts, entry.path),
        }
        for entry in here.root.entries(folder)
    ]
    return {"folder": folder, "entries": entries}


@router.get("/image")
def image(here: Here, name: ImageName) -> Answer:
    """Size and resolution of an image, and its Deep Zoom levels."""
    return {**asdict(here.pictures.about(name)), "root": here.identity}


@router.get("/tile/{level}/{column}_{row}.jpg", response_class=Response)
def tile(
    here: Here,
    request: Request,
    name: ImageName,
    level: Annotated[int, Path(ge=0, le=64)],
    column: Annotated[int, Path(ge=0, le=2**31)],
    row: Annotated[int, Path(ge=0, le=2**31)],
) -> Response:
    """A Deep Zoom tile of 256 pixels without overlap."""
    return _jpeg(here, request, name, lambda: here.pictures.tile(name, level, column, row))


@router.get("/thumbnail", response_class=Response)
def thumbnail(
    here: Here, request: Request, name: ImageName, side: Annotated[int, Query(ge=16, le=2048)] = 256
) -> Response:
    """The whole image, small."""
    return _jpeg(here, request, name, lambda: here.pictures.thumbnail(name, side))


def _jpeg(here: Here, request: Request, name: str, make: Callable[[], bytes]) -> Response:
    tag = '"' + sha256(repr(here.pictures.version(name)).encode()).hexdigest()[:16] + '"'
    headers = {"cache-control": KEEP, "etag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(make(), media_type="image/jpeg", headers=headers)


def _below(counts: dict[str, int], folder: str) -> int:
    return sum(count for path, count in counts.items() if path.startswith(f"{folder}/"))

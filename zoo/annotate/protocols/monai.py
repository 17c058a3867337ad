"""MONAI Label, as its extension for QuPath asks it: points in a rectangle of a slide, to polygons as ASAP's XML."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import unquote

import numpy as np
from fastapi import APIRouter, File, Form, Path, Query, Request, Response, UploadFile
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError
from scipy import ndimage

from zoo.annotate.grid import PixelGrid, Region
from zoo.annotate.messages import MOST_CLICKS, Point
from zoo.annotate.models import About
from zoo.annotate.pictures import Pictures
from zoo.annotate.protocols.asap import asap
from zoo.annotate.protocols.prompts import Asked, Prompts, RegionSource, sent
from zoo.annotate.protocols.sent import picture
from zoo.annotate.protocols.told import told
from zoo.annotate.ranges import PartlyFile
from zoo.annotate.refused import RefusedError
from zoo.annotate.root import Root
from zoo.annotate.shapes import Mask

CLASSES = {"nuclei": ("Nucleus", "#2ca02c"), "glands": ("Gland", "#1f77b4"), "region": ("Region", "#c80000")}
"""What a checkpoint's objects are called in the viewer, by its task."""
OTHER = ("Object", "#ffc800")
MOST_FOLDERS = 1_000
"""That are looked through for an image of a name."""
Length = Annotated[int, Field(ge=0, le=2**31)]
Place = Annotated[int, Field(ge=-(2**31), le=2**31)]
Clicks = Annotated[list[Point], Field(max_length=MOST_CLICKS)]
ModelName = Annotated[str, Path(max_length=300)]
ImageId = Annotated[str, Query(alias="image", max_length=1000)]
As = Annotated[Literal["asap"], Query()]

# The client sends JSON without saying so. Its Host and Origin are checked, so that no foreign page can do the same.
router = APIRouter(strict_content_type=False)


class WsiPoints(BaseModel):
    """Where the objects are, in pixels of level 0, or of the picture that was sent."""

    foreground: Clicks = []
    background: Clicks = []


class Wsi(BaseModel):
    """A rectangle of a slide (level 0) and what is in it; of no size: all of it."""

    location: tuple[Place, Place] = (0, 0)
    size: tuple[Length, Length] = (0, 0)
    min_poly_area: Annotated[float, Field(ge=0, le=1e12)] = 30
    params: WsiPoints = WsiPoints()


@router.get("/auth")
def auth() -> dict[str, bool]:
    """Nobody has to log in."""
    return {"enabled": False}


@router.get("/info")
def info(here: Asked) -> dict[str, Any]:
    """The checkpoints, the default one first."""
    known = here.models.known
    names = sorted(known, key=lambda each: each != here.models.default)
    models = {
        name: {
            "type": "annotation",
            "dimension": 2,
            "description": known[name].title,
            "labels": [_class(known[name])[0]],
            "pathology": True,
            "nuclick": _is_nuclick(known[name]),
        }
        for name in names
    }
    labels = list(dict.fromkeys(_class(known[name])[0] for name in names))
    return {
        "name": "isegzoo",
        "description": "Interactive segmentation of pathology images",
        "version": version("isegzoo"),
        "labels": labels,
        "models": models,
        "strategies": {},
        "trainers": {},
    }


@router.head("/datastore/image", operation_id="has_image")
@router.get("/datastore/image", operation_id="image")
def image(here: Asked, name: ImageId) -> PartlyFile:
    """The file of an image; of HEAD only whether there is one."""
    pictures, found = _found(here, name)
    return PartlyFile(pictures.root.file(found), media_type="application/octet-stream")


@router.post("/infer/wsi/{model:path}")
def infer(here: Asked, model: ModelName, name: ImageId, body: Wsi, output: As = "asap") -> Response:
    """Objects in a part of an image that lies here."""
    about, mpp = here.chosen(model)
    pictures, found = _found(here, name)
    known = pictures.about(found)
    region: Region | None = (*map(float, body.location), *map(float, body.size))  # type: ignore[assignment]
    source = RegionSource(
        pictures.version(found),
        (known.width, known.height),
        mpp if known.mpp is None else known.mpp,
        lambda grid: pictures.read(found, grid),
        region if all(body.size) else None,
        coarser=True,
    )
    return _answer(here, about, source, body)


@router.post("/infer/wsi_v2/{model:path}")
def infer_sent(
    here: Asked, model: ModelName, file: Annotated[UploadFile, File()], wsi: Annotated[str, Form()], output: As = "asap"
) -> Response:
    """Objects in a picture that comes along."""
    about, mpp = here.chosen(model)
    try:
        body = Wsi.model_validate_json(wsi)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["wsi", *map(str, first["loc"])])
        raise RefusedError(422, f"{where}: {first['msg']}"[:500]) from None
    content = file.file.read()
    return _answer(here, about, sent(content, picture(content, "file"), mpp), body)


@router.put("/datastore/image")
@router.put("/datastore/label")
@router.post("/activelearning/{rest:path}")
@router.post("/train/{rest:path}")
def not_offered(request: Request) -> None:
    """What this server does not do."""
    raise RefusedError(
        404,
        f"{request.url.path}: this server only segments; it keeps no images and labels of yours, chooses none and "
        "trains nothing; export annotations in QuPath, and train with zoo fit",
    )


def _answer(here: Prompts, about: About, source: RegionSource, body: Wsi) -> Response:
    inside, outside = body.params.foreground, body.params.background
    if _is_nuclick(about):
        if not inside:
            raise RefusedError(422, f"{about.name} segments an object a point; put at least one into the rectangle")
        clicks = [each for point in inside for each in told(about, [point])]
        labels, _, grid = here.many(about.name, source, clicks)
        masks = list(_each(labels, grid))
    else:
        one = here.one(about.name, source, told(about, inside, outside))
        masks = [(one.mask, one.grid)]
    label, colour = _class(about)
    return Response(asap(masks, label, colour, about.name, body.min_poly_area), media_type="application/xml")


def _each(labels: NDArray[np.int64], grid: PixelGrid) -> Iterator[tuple[Mask, PixelGrid]]:
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        if box is not None:
            yield labels[box] == number, grid.part(*box)


def _is_nuclick(about: About) -> bool:
    """Whether each point is an object of its own."""
    return about.task == ("nuclei",) and about.takes("click")


def _class(about: About) -> tuple[str, str]:
    return next((CLASSES[task] for task in about.task if task in CLASSES), OTHER)


def _found(here: Prompts, name: str) -> tuple[Pictures, str]:
    """Where the image of a name lies: its path below the root, or its file's name, with or without its ending.

    QuPath's extension encodes names twice: `My Slide` arrives as `My%20Slide`.

    Raises:
        RefusedError: there is none, or more than one.
    """
    if here.pictures is None:
        raise RefusedError(404, f"no image {name!r} here: the server was started without a folder; zoo serve FOLDER")
    root = here.pictures.root
    names = {name, unquote(name)}
    try:
        root.file(name)
        return here.pictures, name
    except RefusedError:
        found = [path for path in _paths(root) if names & {path, PurePosixPath(path).stem, PurePosixPath(path).name}]
    if len(found) != 1:
        many = f"{len(found)} images are called {name!r}; name it by its path" if found else f"there is no {name!r}"
        raise RefusedError(404, f"{many}; GET /api/images lists those there are")
    return here.pictures, found[0]


def _paths(root: Root) -> Iterator[str]:
    """Of all images below the root, as far as there are not too many folders."""
    folders = [""]
    for _ in range(MOST_FOLDERS):
        if not folders:
            return
        for entry in root.entries(folders.pop()):
            if entry.kind == "folder":
                folders.append(entry.path)
            else:
                yield entry.path

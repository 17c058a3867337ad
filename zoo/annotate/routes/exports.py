"""Files with all objects of an image."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Response

from zoo.annotate.exports import exported
from zoo.annotate.service import Here, ImageName

router = APIRouter(prefix="/api")


@router.get("/export", response_class=Response)
def export(
    here: Here,
    image: ImageName,
    kind: Annotated[str, Query(alias="format", pattern="^(geojson|png|tiff|store)$")],
    split: Annotated[str, Query(pattern="^(train|val|test)$", description="of a store")] = "train",
) -> Response:
    """A label image (PNG, TIFF), polygons as QuPath reads them, or an HDF5 store to train with."""
    content, ending, media = exported(here, image, kind, split)
    name = quote(PurePosixPath(image).stem + ending)
    headers = {"content-disposition": f"attachment; filename*=utf-8''{name}", "cache-control": "no-cache"}
    return Response(content, media_type=media, headers=headers)

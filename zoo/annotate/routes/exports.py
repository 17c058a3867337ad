"""Files with all objects of an image."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Response

from zoo.annotate.exports import exported, stored
from zoo.annotate.refused import RefusedError
from zoo.annotate.service import Here

router = APIRouter(prefix="/api")


@router.get("/export", response_class=Response)
def export(
    here: Here,
    kind: Annotated[str, Query(alias="format", pattern="^(geojson|png|tiff|store)$")],
    image: Annotated[str | None, Query(max_length=1000, description="may be left out of a store: all images")] = None,
    split: Annotated[str | None, Query(pattern="^(train|val|test)$", description="of a store")] = None,
) -> Response:
    """A label image (PNG, TIFF), polygons as QuPath reads them, or an HDF5 store to train with."""
    if image is not None:
        here.root.file(image)
    if kind == "store":
        content, ending, media = stored(here, image, split), ".h5", "application/x-hdf5"
    elif image is None:
        raise RefusedError(422, "say of which image; only a store may hold all of them")
    else:
        content, ending, media = exported(here, image, kind)
    name = quote(PurePosixPath(image or "annotations").stem + ending)
    headers = {"content-disposition": f"attachment; filename*=utf-8''{name}", "cache-control": "no-cache"}
    return Response(content, media_type=media, headers=headers)

"""Objects: sessions as resources."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Response

from zoo.annotate.begin import begin, imported, many
from zoo.annotate.document import say
from zoo.annotate.exports import named_feature
from zoo.annotate.grid import PixelGrid
from zoo.annotate.labelled import outlined
from zoo.annotate.messages import Changes, Class, Import, Lasso, Many, Mpp, Name, NewObject, Turn
from zoo.annotate.refused import RefusedError
from zoo.annotate.service import Answer, Here, ImageName

router = APIRouter(prefix="/api")
Identity = Annotated[str, Path(max_length=40)]
LABELS = "a label image of the image's size: PNG, TIFF, NPY, BMP or GIF; 0 or black is nothing"
Number = Annotated[int, Path(ge=1, le=2**53)]


@router.get("/objects")
def objects(here: Here, image: ImageName) -> Answer:
    """All objects of an image."""
    here.root.file(image)
    revision = here.journal.revision(image)  # first, so that what changes meanwhile is asked for again
    return {"revision": revision, "objects": here.objects.of_image(image)}


@router.get("/revision")
def revision(
    here: Here, image: ImageName, since: Annotated[int, Query(ge=0, le=2**53, description="a revision")] = 0
) -> Answer:
    """A number that rises with every change of the image's objects, and how many changes there were since."""
    here.root.file(image)
    number, changes = here.journal.changes(image, since)
    return {"revision": number, "changes": changes}


@router.post("/objects")
def new(here: Here, body: NewObject) -> Answer:
    """Begin an object: on a region, or from a mask that somebody outlined, or closer within another object."""
    return begin(here, body)


@router.get("/objects/{identity}")
def one(here: Here, identity: Identity) -> Answer:
    """An object."""
    return here.objects.get(identity)


@router.patch("/objects/{identity}")
def change(here: Here, identity: Identity, body: Changes) -> Answer:
    """Another class, threshold or checkpoint; the latter is told all interactions again."""
    given = body.model_dump(by_alias=True, exclude_unset=True)
    if given.get("checkpoint", "") is None:
        raise RefusedError(422, "an object needs a checkpoint; GET /api/about lists those there are")
    if not given:
        return here.objects.get(identity)
    if "checkpoint" in given:
        here.models.about(given["checkpoint"])
        given.setdefault("threshold", None)  # each has its own
    return here.objects.do(identity, {"do": "set", "about": given})


@router.delete("/objects/{identity}")
def delete(here: Here, identity: Identity) -> Answer:
    """Delete an object; `restore` brings it back."""
    return here.objects.do(identity, {"do": "delete"})


@router.post("/objects/{identity}/restore")
def restore(here: Here, identity: Identity) -> Answer:
    """Bring back an object that was deleted."""
    return here.objects.do(identity, {"do": "restore"})


@router.post("/objects/{identity}/interactions")
def interact(here: Here, identity: Identity, body: Turn) -> Answer:
    """One turn of interactions."""
    return here.objects.do(identity, say([each.made() for each in body.interactions]))


@router.delete("/objects/{identity}/interactions/{number}")
def remove(here: Here, identity: Identity, number: Number) -> Answer:
    """Remove a single interaction, or edit by hand; the others are told again."""
    return here.objects.do(identity, {"do": "remove", "number": number})


@router.post("/objects/{identity}/undo")
def undo(here: Here, identity: Identity) -> Answer:
    """Take back what was done last: a turn, an edit, a removal or a reset."""
    return here.objects.do(identity, {"do": "undo"})


@router.post("/objects/{identity}/redo")
def redo(here: Here, identity: Identity) -> Answer:
    """Do again what was taken back last."""
    return here.objects.do(identity, {"do": "redo"})


@router.post("/objects/{identity}/reset")
def reset(here: Here, identity: Identity) -> Answer:
    """As before the first turn; `undo` takes this back, too."""
    return here.objects.do(identity, {"do": "reset"})


@router.post("/objects/{identity}/edit")
def edit(here: Here, identity: Identity, body: Lasso) -> Answer:
    """Add a polygon to the mask by hand, or take it away: a turn."""
    return here.objects.do(identity, {"do": "edit", "polygon": body.polygon, "add": body.add})


@router.get("/objects/{identity}/mask.png", response_class=Response)
def mask(
    here: Here, identity: Identity, kind: Annotated[str, Query(pattern="^(mask|probability)$")] = "mask"
) -> Response:
    """Grey PNG of the region at the model's resolution: the mask, 0 and 255, or the probability."""
    content, number = here.objects.mask(identity) if kind == "mask" else here.objects.probability(identity)
    headers = {"x-revision": str(number), "cache-control": "no-cache"}
    return Response(content, media_type="image/png", headers=headers)


@router.get("/objects/{identity}/polygons")
def polygons(here: Here, identity: Identity) -> Answer:
    """The mask as a GeoJSON feature; without a geometry where it is empty."""
    kept, history, geometry = here.objects.geometry(identity)
    if geometry is None:
        return {"type": "Feature", "id": kept.id, "geometry": None, "properties": {"objectType": "annotation"}}
    grid = PixelGrid.of_json(kept.seen["grid"])
    return named_feature(kept.id, history.about["class"], geometry, kept.seen["pixels"], grid.downsample, grid.mpp)


@router.post("/many")
def several(here: Here, body: Many) -> Answer:
    """One object a click, all in one run, in which each is told of the others and the likeliest wins a pixel."""
    return {"objects": many(here, body)}


@router.post("/import")
def take(here: Here, body: Import) -> Answer:
    """Each polygon of a GeoJSON file an object, which can be corrected."""
    return {"objects": imported(here, body)}


@router.post("/import/labels")
def take_labels(
    here: Here,
    image: ImageName,
    content: Annotated[bytes, Body(media_type="application/octet-stream", description=LABELS)] = b"",
    checkpoint: Name | None = None,
    class_: Annotated[Class | None, Query(alias="class")] = None,
    mpp: Mpp | None = None,
) -> Answer:
    """Each number or colour of a label image an object, which can be corrected."""
    about = here.pictures.about(image)
    geojson = outlined(content, (about.width, about.height))
    body = Import(image=image, geojson=geojson, checkpoint=checkpoint, class_=class_, mpp=mpp)
    return {"objects": imported(here, body)}

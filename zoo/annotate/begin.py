"""New objects: on a region, from a mask, within another one, and many from a click each."""

from __future__ import annotations

from typing import Any

from zoo.annotate.document import Event, RunResult, say
from zoo.annotate.grid import PixelGrid, grid_of
from zoo.annotate.imports import features
from zoo.annotate.messages import Import, Many, NewObject
from zoo.annotate.objects import New
from zoo.annotate.refused import RefusedError
from zoo.annotate.service import Answer, Service
from zoo.annotate.shapes import Geometry, Mask, bounds, checked, geometry_of, mask_of
from zoo.annotate.together import check_count, region_around, scale, side_around, together
from zoo.annotate.wholes import covered, zoomed
from zoo.interactions import Click

SMALL = 2048 * 2048
"""Pixels of an image that is taken whole."""
MARGIN = 0.5
"""Of an outline's width and height, around it; and at least `LEAST` pixels."""
LEAST = 128


def begin(here: Service, body: NewObject) -> Answer:
    """Begin one object."""
    made = _made(here, body)
    if body.region is not None:
        made["region"] = list(body.region)
    grid = _grid(here, made)
    made["region"] = list(grid.region)
    if body.parent is not None:
        start = _of_parent(here, body.parent, body.image, grid)
        parent = here.objects.get(body.parent)
        made |= {"parent": body.parent, "class": body.class_ or parent["class"]}
        made |= {} if start is None else {"start": start}
    if body.geometry is not None:
        made["start"] = checked(body.geometry)
    events: list[Event] = []
    if body.interactions:
        events.append(say([each.made() for each in body.interactions]))
    return here.objects.begin([New(made, events)])[0]


def imported(here: Service, body: Import) -> list[Answer]:
    """Begin an object of each polygon; no model looks at them until somebody corrects one."""
    about = here.pictures.about(body.image)
    new = []
    for number, geometry, name in features(body.geojson):
        made = _made(here, body) | {"start": geometry, "fit": True}
        made |= {"class": name or body.class_, "region": _around(here, made, about.mpp or body.mpp, geometry)}
        try:
            grid = _grid(here, made)
        except RefusedError as error:
            raise RefusedError(
                error.status,
                f"object {number} lies outside the image of {about.width} x {about.height} pixels; leave it out, or "
                "import it into the image that it was drawn in",
            ) from None
        new.append(New(made | {"grid": grid.as_json()}, (), mask_of(geometry, grid)))
    if not new:
        raise RefusedError(422, "there is no polygon in it; export objects with an area, as a FeatureCollection")
    return here.objects.begin(new)


def many(here: Service, body: Many) -> list[Answer]:
    """Begin an object of each click; claims are settled among them."""
    made = _made(here, body)
    model = here.models.get(made["checkpoint"])
    if not here.models.about(model.name).takes("click"):
        raise RefusedError(422, f"{model.name} is told no clicks; choose another checkpoint")
    window = model.engine.window
    check_count(model, len(body.clicks))
    about = here.pictures.about(body.image)
    mpp = body.mpp if about.mpp is None else about.mpp
    size = (about.width, about.height)
    side = side_around(model, mpp)
    grid = grid_of(size, mpp, model.engine.mpp, body.box or region_around(body.clicks, side))
    here_clicks = [grid.within(Click(x, y)) for x, y in body.clicks]
    labels, _ = together(model, here.pictures.read(body.image, grid), grid, here_clicks)
    new = []
    for number, (x, y) in enumerate(body.clicks, 1):
        mask = labels == number
        rows, columns = _cut(grid, mask, (x, y), None if window is None else side)
        part = grid.part(rows, columns)
        inside = mask[rows, columns]
        result = RunResult(geometry_of(inside, part, exact=True), model.name)
        about_one = made | {"region": list(part.region), "grid": part.as_json()}
        new.append(New(about_one, [say([Click(x, y)], result)], inside))
    return here.objects.begin(new)


def _made(here: Service, body: NewObject | Import | Many) -> dict[str, Any]:
    """What every object is begun with."""
    checkpoint = body.checkpoint or here.models.default
    here.models.about(checkpoint)
    about = here.pictures.about(body.image)
    made: dict[str, Any] = {"image": body.image, "size": [about.width, about.height], "checkpoint": checkpoint}
    made["class"] = body.class_
    if body.mpp is not None:
        if about.mpp is not None:
            raise RefusedError(422, f"the image says that it has {about.mpp:g} um/px; leave out mpp")
        made["mpp"] = body.mpp
    return made


def _grid(here: Service, made: dict[str, Any]) -> PixelGrid:
    about = here.pictures.about(made["image"])
    region = made.get("region")
    small = about.width * about.height <= SMALL
    if region is None and not small:
        raise RefusedError(
            422, f"the image of {about.width} x {about.height} pixels is large; give the region to work on"
        )
    mpp = made.get("mpp") if about.mpp is None else about.mpp
    wanted = here.models.about(made["checkpoint"]).mpp
    return grid_of((about.width, about.height), mpp, wanted, region, fit=made.get("fit", False))


def _of_parent(here: Service, parent: str, image: str, grid: PixelGrid) -> Geometry | None:
    """The parent's mask in a region, enlarged as ZoomISEG does it (low-to-high transfer)."""
    kept, _, low, mask = here.objects.read(parent)
    if kept.image != image:
        raise RefusedError(422, f"the parent is an object of {kept.image!r}; begin its child there")
    if any(place.start == place.stop for place in covered(low, grid)):
        raise RefusedError(422, "the child's region lies outside that of its parent; choose one within")
    return geometry_of(zoomed(mask, low, grid), grid, exact=True)


def _cut(grid: PixelGrid, mask: Mask, click: tuple[float, float], side: float | None) -> tuple[slice, slice]:
    """Rows and columns around a click, `side` pixels of the image wide, in which its mask lies."""
    if side is None:
        return slice(0, grid.size[0]), slice(0, grid.size[1])
    found = []
    for place, start, length in zip(reversed(click), reversed(grid.origin), grid.size, strict=True):
        middle = (place - start) / grid.downsample
        half = side / grid.downsample / 2
        found.append(slice(max(0, int(middle - half)), min(length, int(middle + half) + 1)))
    return found[0], found[1]


def _around(here: Service, made: dict[str, Any], mpp: float | None, geometry: Geometry) -> list[float]:
    x0, y0, x1, y1 = bounds(geometry)
    least = LEAST * scale(mpp, here.models.about(made["checkpoint"]).mpp)
    right, down = (max(MARGIN * side, least) for side in (x1 - x0, y1 - y0))
    return [x0 - right, y0 - down, x1 - x0 + 2 * right, y1 - y0 + 2 * down]

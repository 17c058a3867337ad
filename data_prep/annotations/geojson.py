"""Annotations as QuPath writes them: GeoJSON."""

import json
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_prep.annotations.outlines import Outline, coordinates
from zoo.errors import DataError
from zoo.qupath import class_of

Geometry = Literal["cell", "nucleus"]

# The geometries of RFC 7946: those that enclose something, and those that don't.
AREAS = ("Polygon", "MultiPolygon")
NOTHING = ("Point", "MultiPoint", "LineString", "MultiLineString")


class Read(NamedTuple):
    """What a GeoJSON file holds.

    Attributes:
        outlines: named after their class; those of one object share their number, its place in the file from 1.
        left_out: how many of the wanted objects enclose nothing, by what they are, and how many nuclei of cells were
            there without anybody having said which of the two to take.
    """

    outlines: list[Outline]
    left_out: Counter[str]


def read_geojson(path: Path, classes: Collection[str] | None = None, geometry: Geometry | None = None) -> Read:
    """Outlines of a GeoJSON file: a FeatureCollection, a list of features, or one feature.

    Coordinates are pixels of the full-resolution image with (0, 0) at its top left corner, as QuPath exports them
    (https://qupath.readthedocs.io/en/stable/docs/advanced/exporting_annotations.html); classes stand in
    `properties.classification.name`, or as a list in `names`, which is joined here: 'Tumor: Positive'.
    Geometries are those of RFC 7946, section 3.1: Polygons, with holes, MultiPolygons, and those in
    GeometryCollections. Points, lines, and geometries that are null or empty enclose nothing: they are counted.

    Args:
        path: the file.
        classes: take only objects of these classes, and look at no other; '' is for objects without one. Default: all.
        geometry: of QuPath's cells, 'cell' takes the whole, 'nucleus' what is in `nucleusGeometry`, and cells without
            one are counted; other objects have one geometry. None: the whole, and count the nuclei that were there.

    Raises:
        DataError: no JSON, or without features; an object or a geometry of no kind that GeoJSON has; a ring that is
            open (its last point is not its first); coordinates that aren't numbers.
    """
    outlines: list[Outline] = []
    left_out = Counter[str]()
    for number, feature in enumerate(_features(path), start=1):
        name = class_of(feature)
        if classes is not None and name not in classes:
            continue
        where = f"{path}: object {number} ({name or 'no class'})"
        if not isinstance(feature, dict):
            raise DataError(f"{where}: is no feature but {feature!r}; remove it")
        nucleus = feature.get("nucleusGeometry")
        wanted = nucleus if geometry == "nucleus" and _is_cell(feature) else feature.get("geometry")
        found = [Outline(rings, name, number) for rings in _areas(wanted, where)]
        if not found:
            left_out["without a nucleus" if wanted is not feature.get("geometry") else _why(wanted)] += 1
        elif nucleus is not None and geometry is None:
            left_out["nuclei of cells (--geometry nucleus takes them)"] += 1
        outlines += found
    return Read(outlines, left_out)


def read_classes(path: Path) -> set[str]:
    """Classes of the objects in a GeoJSON file, as `read_geojson` names them."""
    return {class_of(feature) for feature in _features(path)}


def _features(path: Path) -> list[Any]:
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}); check the name") from error
    except ValueError as error:
        raise DataError(f"{path}: not a JSON file ({error}); export it again") from error
    if isinstance(content, dict):
        content = content.get("features", [content] if content.get("type") == "Feature" else None)
    if not isinstance(content, list):
        raise DataError(f"{path}: no features in it; export objects from QuPath as GeoJSON, as a FeatureCollection")
    return content


def _is_cell(feature: dict[str, Any]) -> bool:
    properties = feature.get("properties")
    return "nucleusGeometry" in feature or (
        isinstance(properties, dict) and properties.get("objectType") in ("cell", "PathCellObject")
    )


def _why(geometry: Any) -> str:
    if not geometry:
        return "without a geometry"
    kind = str(geometry["type"])
    return f"empty {kind}" if kind in AREAS else kind


def _areas(geometry: Any, where: str) -> Iterator[tuple[NDArray[np.float64], ...]]:
    """Rings of each polygon of a geometry that encloses anything."""
    if not geometry:
        return
    kind = geometry.get("type") if isinstance(geometry, dict) else repr(geometry)
    if kind == "GeometryCollection":
        for each in _listed(geometry.get("geometries"), where):
            yield from _areas(each, where)
    elif kind in AREAS:
        shape = _listed(geometry.get("coordinates"), where)
        for polygon in [shape] if kind == "Polygon" else shape:
            rings = [_closed(points, where) for points in _listed(polygon, where)]
            if rings and rings[0] is not None:
                yield tuple(each for each in rings if each is not None)
    elif kind not in NOTHING:
        raise DataError(f"{where}: is no geometry of GeoJSON but {kind or 'one without a type'}; export it again")


def _listed(value: Any, where: str) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise DataError(f"{where}: {value!r} stands for coordinates; export it again or remove it")
    return value or []


def _closed(points: Any, where: str) -> NDArray[np.float64] | None:
    """A ring without its last point; None: it has too few points to enclose anything."""
    vertices = coordinates(_listed(points, where), where)
    closed = len(vertices) > 1 and bool((vertices[0] == vertices[-1]).all())
    if len(vertices) < (4 if closed else 3):
        return None
    if not closed:
        raise DataError(f"{where}: is open: its last point is not its first; close it or remove it")
    return vertices[:-1]

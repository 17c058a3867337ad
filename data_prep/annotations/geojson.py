"""Annotations as QuPath writes them: GeoJSON."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_prep.annotations.outlines import Outline, ring
from zoo.errors import DataError


def read_geojson(path: Path, classes: Collection[str] | None = None) -> list[Outline]:
    """Outlines of a GeoJSON file: a FeatureCollection, a list of features, or one feature.

    Coordinates are pixels of the full-resolution image with (0, 0) at its top left corner, as QuPath exports them
    (https://qupath.readthedocs.io/en/stable/docs/advanced/exporting_annotations.html); classes stand in
    `properties.classification.name`, or as a list in `names`, which is joined here: 'Tumor: Positive'.
    Geometries are those of RFC 7946, section 3.1: Polygons, with holes, and MultiPolygons.

    Args:
        path: the file.
        classes: take only objects of these classes, and look at no other; '' is for objects without one. Default: all.

    Returns:
        Outlines named after their class; those of one MultiPolygon share their number.

    Raises:
        DataError: no JSON, or without features; an object that is no polygon (point, line); a ring that is open (its
            last point is not its first) or has fewer than three different points; coordinates that aren't numbers.
    """
    outlines = []
    for number, feature in enumerate(_features(path), start=1):
        name = _class_of(feature)
        if classes is not None and name not in classes:
            continue
        where = f"{path}: object {number} ({name or 'no class'})"
        geometry = feature.get("geometry") if isinstance(feature, dict) else None
        kind = geometry.get("type") if isinstance(geometry, dict) else None
        if geometry is None or kind not in ("Polygon", "MultiPolygon"):
            raise DataError(f"{where}: is no polygon but {kind or 'without a geometry'}; remove it, or outline it")
        shape = geometry.get("coordinates")
        for polygon in [shape] if kind == "Polygon" else _listed(shape, where):
            rings = tuple(_closed(points, where) for points in _listed(polygon, where))
            outlines.append(Outline(rings, name, number))
    return outlines


def read_classes(path: Path) -> set[str]:
    """Classes of the objects in a GeoJSON file, as `read_geojson` names them."""
    return {_class_of(feature) for feature in _features(path)}


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


def _class_of(feature: Any) -> str:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    found = properties.get("classification") if isinstance(properties, dict) else None
    if isinstance(found, dict):
        return str(found["name"]) if "name" in found else ": ".join(map(str, found.get("names", [])))
    return ""


def _listed(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise DataError(f"{where}: has no coordinates; export it again or remove it")
    return value


def _closed(points: Any, where: str) -> NDArray[np.float64]:
    vertices = ring(_listed(points, where), where)
    if points[0] != points[-1]:
        raise DataError(f"{where}: is open: its last point is not its first; close it or remove it")
    return vertices

"""Polygons of GeoJSON files, as QuPath and others write them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zoo.annotate.refused import RefusedError
from zoo.annotate.shapes import Geometry, checked
from zoo.qupath import class_of

MOST_FEATURES = 20_000
DEEPEST = 4
"""Collections of geometries within each other."""


def features(content: Any) -> Iterator[tuple[int, Geometry, str | None]]:
    """Each geometry with an area, its feature's number from 1, and its class.

    Points and lines, and what has no geometry, are skipped.

    Args:
        content: a FeatureCollection, a list of features, a feature or a geometry.

    Raises:
        RefusedError: none of these, too many, or a malformed one.
    """
    found = _listed(content)
    if len(found) > MOST_FEATURES:
        raise RefusedError(413, f"{len(found)} objects are more than {MOST_FEATURES}; import them in parts")
    for number, each in enumerate(found, 1):
        try:
            name = _class_of(each)
            for geometry in _areas(each.get("geometry") if isinstance(each, dict) else each):
                yield number, checked(geometry), name
        except RefusedError as error:
            raise RefusedError(error.status, f"object {number}: {error}") from None


def _listed(content: Any) -> list[Any]:
    if isinstance(content, list):
        return content
    kind = content.get("type")
    if kind == "FeatureCollection" and isinstance(content.get("features"), list):
        return list(content["features"])
    if kind == "Feature":
        return [content]
    if isinstance(kind, str) and ("coordinates" in content or "geometries" in content):
        return [{"type": "Feature", "geometry": content}]
    raise RefusedError(422, "no GeoJSON; give a FeatureCollection, as QuPath exports objects")


def _areas(geometry: Any, depth: int = 0) -> Iterator[Any]:
    if not isinstance(geometry, dict):
        if geometry is not None:
            raise RefusedError(422, "is no feature of GeoJSON; export it again")
        return
    kind = geometry.get("type")
    if kind == "GeometryCollection" and depth < DEEPEST:
        parts = geometry.get("geometries")
        for each in parts if isinstance(parts, list) else []:
            yield from _areas(each, depth + 1)
    elif kind not in ("Point", "MultiPoint", "LineString", "MultiLineString") and geometry.get("coordinates") != []:
        yield geometry


def _class_of(feature: Any) -> str | None:
    return "".join(letter for letter in class_of(feature) if letter.isprintable())[:100] or None

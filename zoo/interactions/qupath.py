"""Points drawn in QuPath, exported as GeoJSON, as interactions."""

from __future__ import annotations

import math
from typing import Any

from zoo.errors import InteractionError
from zoo.interactions.single import Click, Interaction
from zoo.qupath import class_of


def is_geojson(content: Any) -> bool:
    """Whether a JSON file holds features: a collection, a list of them, or one."""
    if isinstance(content, dict):
        return content.get("type") in ("FeatureCollection", "Feature")
    return isinstance(content, list) and all(isinstance(each, dict) and "geometry" in each for each in content)


def read_points(content: Any, where: str, one_object: bool = False) -> tuple[list[list[Interaction]], list[str]]:
    """Clicks of each object and its class, '' for none.

    Each point of a Point or MultiPoint is an object; with `one_object` all are of one. Points of class 'Negative', and
    of those that begin with 'Ignore', are negative clicks for every object. Other geometries are skipped.

    Args:
        content: the parsed file.
        where: its name, for messages.
        one_object: all points belong to one object.

    Raises:
        InteractionError: no positive point, or coordinates that aren't numbers.
    """
    features = content if isinstance(content, list) else content.get("features", [content])
    positive: list[tuple[Click, str]] = []
    negative: list[Interaction] = []
    for number, feature in enumerate(features if isinstance(features, list) else [], start=1):
        name = class_of(feature)
        refused = name == "Negative" or name.startswith("Ignore")
        for x, y in _places(feature, f"{where}: object {number} ({name or 'no class'})"):
            if refused:
                negative.append(Click(x, y, positive=False))
            else:
                positive.append((Click(x, y), name))
    if not positive:
        raise InteractionError(f"{where}: no positive point in it; draw points in QuPath and export them as GeoJSON")
    if one_object:
        return [[*(click for click, _ in positive), *negative]], [positive[0][1]]
    return [[click, *negative] for click, _ in positive], [name for _, name in positive]


def _places(feature: Any, where: str) -> list[tuple[float, float]]:
    geometry = feature.get("geometry") if isinstance(feature, dict) else None
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if geometry is None or kind not in ("Point", "MultiPoint"):
        return []
    points = geometry.get("coordinates") or []
    try:
        places = [(float(point[0]), float(point[1])) for point in ([points] if kind == "Point" and points else points)]
    except (TypeError, ValueError, LookupError):
        raise InteractionError(f"{where}: {points!r} are no coordinates; export it again") from None
    if not all(math.isfinite(value) for place in places for value in place):
        raise InteractionError(f"{where}: a point is nowhere; remove it")
    return places

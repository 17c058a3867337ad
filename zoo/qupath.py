"""What QuPath writes of an object, besides its outline."""

from __future__ import annotations

from typing import Any


def class_of(feature: Any) -> str:
    """The class of a feature of GeoJSON, as QuPath shows it ('Tumor: Positive'); '' for none."""
    properties = feature.get("properties") if isinstance(feature, dict) else None
    found = properties.get("classification") if isinstance(properties, dict) else None
    if not isinstance(found, dict):
        return ""
    names = [found["name"]] if found.get("name") is not None else found.get("names")
    return ": ".join(map(str, names)) if isinstance(names, list) else ""

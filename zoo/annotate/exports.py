"""What leaves the annotator: GeoJSON, label images and stores."""

from __future__ import annotations

from typing import Any

from zoo.annotate.shapes import Geometry
from zoo.images.geojson import feature


def named_feature(
    identity: str, name: str | None, geometry: Geometry, pixels: int, downsample: float, mpp: float | None
) -> dict[str, Any]:
    """An object as a feature of GeoJSON.

    Args:
        identity: of the object.
        name: its class.
        geometry: of its mask.
        pixels: of the mask.
        downsample: pixels of the image a pixel of the mask.
        mpp: micrometres a pixel of the mask.
    """
    shapes = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    made = feature(0, shapes, pixels, mpp=mpp, class_name=name)
    made["id"] = f"{identity[:8]}-{identity[8:12]}-{identity[12:16]}-{identity[16:20]}-{identity[20:]}"
    del made["properties"]["name"]
    made["properties"]["measurements"]["Area px^2"] = pixels * downsample**2
    return made

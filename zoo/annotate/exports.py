"""What leaves the annotator: GeoJSON, label images and stores."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo.annotate.grid import PixelGrid
from zoo.annotate.paint import label_file, pyramid_file
from zoo.annotate.refused import RefusedError
from zoo.annotate.service import Service
from zoo.annotate.shapes import Geometry, geometry_of
from zoo.annotate.stores import write_store
from zoo.annotate.wholes import Whole, wholes
from zoo.images.geojson import feature

LARGE = 64_000_000
"""Pixels of a label image that is not written tile by tile."""
Written = Callable[[Path], None]


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


def stored(here: Service, image: str | None, split: str | None) -> bytes:
    """A store of all objects of an image, or of all images.

    Raises:
        RefusedError: there is nothing to export.
    """
    images = sorted(here.journal.counts()) if image is None else [image]
    found = {name: wholes(here.objects, name) for name in images}
    found = {name: some for name, some in found.items() if any(each.mask.any() for each in some)}
    if not found:
        raise RefusedError(409, "there is no object to train on yet; segment one first")
    return _temporary(lambda path: write_store(path, here.pictures, found, split), ".h5")


def exported(here: Service, image: str, kind: str) -> tuple[bytes, str, str]:
    """The content, the ending and the media type of a file with all objects of an image.

    Raises:
        RefusedError: there is nothing to export, or it does not fit this kind of file.
    """
    found = wholes(here.objects, image)
    about = here.pictures.about(image)
    mpp = next((each.grid.mpp / each.grid.downsample for each in found if each.grid.mpp is not None), about.mpp)
    size = (about.height, about.width)
    if kind == "geojson":
        return json.dumps(collection(found)).encode(), ".geojson", "application/geo+json"
    grid = PixelGrid((0.0, 0.0), 1.0, size, mpp)
    if size[0] * size[1] <= LARGE:
        ending = ".png" if kind == "png" else ".tif"
        return label_file(found, grid, ending), ending, f"image/{kind}"
    if kind == "png":
        raise RefusedError(413, f"{size[1]} x {size[0]} pixels are too many for a PNG; export a TIFF, or GeoJSON")
    down = min((each.grid.downsample for each in found), default=4.0)
    grid = PixelGrid((0.0, 0.0), down, (int(size[0] / down), int(size[1] / down)), None if mpp is None else mpp * down)
    return _temporary(lambda path: pyramid_file(found, grid, path), ".tif"), ".tif", "image/tiff"


def collection(found: list[Whole]) -> dict[str, Any]:
    """The objects as QuPath reads them; those whose mask is empty are left out."""
    features = []
    for each in found:
        mask, grid = each.finest()
        geometry = geometry_of(mask, grid)
        if geometry is not None:
            features.append(
                named_feature(each.kept.id, each.name, geometry, int(mask.sum()), grid.downsample, grid.mpp)
            )
    return {"type": "FeatureCollection", "features": features}


def _temporary(write: Written, ending: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{ending}"
        write(path)
        return path.read_bytes()

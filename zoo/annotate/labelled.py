"""Label images as polygons to import."""

from __future__ import annotations

import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zoo.annotate.exports import LARGE
from zoo.annotate.imports import MOST_FEATURES
from zoo.annotate.refused import RefusedError
from zoo.errors import DataError
from zoo.images.geojson import feature_collection
from zoo.images.labels import read_labels


def outlined(content: bytes, size: tuple[int, int]) -> dict[str, Any]:
    """A FeatureCollection of the objects of a label image.

    Args:
        content: of a PNG.
        size: width and height of the image that it is of.

    Raises:
        RefusedError: it is none, or of another size, or holds too much or nothing.
    """
    try:
        with Image.open(BytesIO(content)) as picture:  # which reads no pixels yet
            given = picture.size
    except Exception:  # Pillow lets through whatever its codecs raise
        raise RefusedError(422, "the label image can't be read; give a PNG with one number an object") from None
    if given != size:
        raise RefusedError(
            422,
            f"the label image has {given[0]} x {given[1]} pixels, the image {size[0]} x {size[1]}; give one of the "
            "same size",
        )
    if size[0] * size[1] > LARGE:
        raise RefusedError(413, f"{size[0]} x {size[1]} pixels are too many for a label image; import GeoJSON")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.png"
        path.write_bytes(content)
        try:
            labels = read_labels(path)
        except DataError as error:
            raise RefusedError(422, f"the label image {str(error).removeprefix(f'{path}: ')}") from None
    count = np.count_nonzero(np.unique(labels))
    if count == 0:
        raise RefusedError(422, "the label image is all 0; give one number an object")
    if count > MOST_FEATURES:
        raise RefusedError(
            413, f"the label image has {count} numbers, more than {MOST_FEATURES}; give one an object, in parts"
        )
    return feature_collection(labels, exact=True)

"""Pictures that come within a request."""

from __future__ import annotations

import base64
import binascii
import warnings
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zoo.annotate.grid import MOST_PIXELS
from zoo.annotate.refused import RefusedError
from zoo.images.stored import EIGHT_BIT

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")


def picture(content: bytes, name: str) -> NDArray[np.uint8]:
    """(H, W, 3) of a picture's file; transparency is dropped.

    Args:
        content: of the file.
        name: of the request's field, for people.

    Raises:
        RefusedError: it is none, damaged, too large, or has more than 8 bits a channel.
    """
    return np.asarray(_opened(content, name).convert("RGB"))


def mask(content: bytes, name: str, size: tuple[int, int]) -> NDArray[np.bool_]:
    """(H, W): what is not black in a picture of this height and width.

    Raises:
        RefusedError: as `picture`, or it has another size.
    """
    inside = np.asarray(picture(content, name).any(2), bool)
    if inside.shape != size:
        (height, width), (h, w) = inside.shape, size
        raise RefusedError(422, f"{name}: has {width} x {height} pixels; a mask is as large as its image, {w} x {h}")
    return inside


def decoded(text: str, name: str) -> bytes:
    """What a field holds as base64, with or without `data:image/png;base64,` before it.

    Raises:
        RefusedError: it does not.
    """
    try:
        found = base64.b64decode("".join(text.rpartition(",")[2].split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RefusedError(422, f"{name}: no base64 ({error}); send a PNG or JPEG in base64") from None
    if not found:
        raise RefusedError(422, f"{name}: is empty; send a PNG or JPEG in base64")
    return found


def _opened(content: bytes, name: str) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's of large pictures; this one is refused below
            image = Image.open(BytesIO(content), formats=FORMATS)
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise RefusedError(413, f"{name}: {width} x {height} pixels are more than {MOST_PIXELS}; zoom in")
            image.load()
    except RefusedError:
        raise
    except Exception as error:  # Pillow lets through whatever its codecs raise
        reason = " ".join(str(error).split())[:100]
        raise RefusedError(422, f"{name}: no readable picture ({reason}); send a PNG or JPEG") from None
    if image.mode not in EIGHT_BIT:
        raise RefusedError(422, f"{name}: a picture of mode {image.mode}; send one of 8 bits a channel")
    return image

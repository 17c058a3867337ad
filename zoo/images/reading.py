"""Reading pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from zoo.errors import DataError

IMAGE_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg", ".webp", ".npy")
EIGHT_BIT = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"}
READERS: dict[str, Callable[[Path], Any]] = {".tif": tifffile.imread, ".tiff": tifffile.imread, ".npy": np.load}


def read_image(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 from any 8-bit picture or NPY: grey is repeated, a palette resolved, transparency dropped.

    Raises:
        DataError: missing, unreadable, or with more than 8 bits a channel.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such image")
    try:
        with Image.open(path) as image:
            # Pillow reads 16-bit colour as its upper 8 bits; only the raw mode of its tiles tells.
            raw = " ".join(str(tile[3]) for tile in image.tile)
            if image.mode in EIGHT_BIT and ";16" not in raw:
                return np.asarray(image.convert("RGB"))
            found = f"mode {image.mode}, stored as {raw}"
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        # Pillow knows neither NPY nor every kind of TIFF.
        if path.suffix.lower() not in READERS:
            raise DataError(f"{path}: not a readable image ({error}); give a PNG, JPEG, WebP or TIFF") from None
        array = _read_array(path)
        if array.dtype == np.uint8 and array.ndim == 2:
            return np.repeat(array[..., None], 3, 2)
        if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] in (3, 4):
            return np.ascontiguousarray(array[..., :3])
        found = f"{array.dtype} of shape {array.shape}"
    raise DataError(f"{path}: {found}; 8 bits a channel are needed: scale it to 0..255 and save it again")


def _read_array(path: Path) -> NDArray[Any]:
    try:
        array = np.asarray(READERS[path.suffix.lower()](path))
    except Exception as error:  # tifffile lets through whatever its codecs raise
        raise DataError(f"{path}: not a readable image ({error}); save it again as PNG or TIFF") from None
    return np.moveaxis(array, 0, -1) if array.ndim == 3 and array.shape[0] in (3, 4) else array

"""The orientation that a file says its pixels are to be shown in."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

ORIENTATION = 274  # TIFF and EXIF tag


def upright(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """(H, W, ...) as viewers show it, a view of what was stored.

    Args:
        array: rows and columns as stored.
        orientation: 1 to 8, where row 0 and column 0 are: TIFF 6.0, 'Orientation', p. 36. Others are 1.
    """
    if orientation in (5, 6, 7, 8):
        array = np.swapaxes(array, 0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array

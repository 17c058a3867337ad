"""What every annotation of a slide can do."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Annotation(Protocol):
    """Labels of a slide, drawn for any window at any resolution, partly or wholly outside the slide too."""

    @property
    def left_out(self) -> Mapping[str, int]:
        """How many of the wanted objects of the file are not drawn, by the reason."""
        ...

    def raster(self, x: int, y: int, width: int, height: int, downsample: float) -> NDArray[np.uint8]:
        """Regions in a window.

        Args:
            x: left border of the window in level-0 pixels.
            y: upper border of the window in level-0 pixels.
            width: columns of the result.
            height: rows of the result.
            downsample: level-0 pixels per pixel of the result.

        Returns:
            (height, width) uint8: 1 = region, 0 = not, 255 = ignore. Pixel (r, c) takes the value at the level-0 point
            (x + (c + .5) * downsample, y + (r + .5) * downsample).
        """
        ...

    def instances(self, x: int, y: int, width: int, height: int, downsample: float) -> NDArray[np.int32]:
        """Likewise (height, width) int32 with an id for each object, the same in every window; 0 = none."""
        ...


def centres(start: int, count: int, downsample: float) -> NDArray[np.float64]:
    """(count,) level-0 coordinates of the pixel centres of a window along one axis."""
    return start + (np.arange(count, dtype=np.float64) + 0.5) * downsample

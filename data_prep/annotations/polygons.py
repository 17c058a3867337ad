"""Draws outlines exactly: a pixel belongs to what its centre is in."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from data_prep.annotations.base import centres
from data_prep.annotations.outlines import Outline
from data_prep.annotations.rings import Area, Slices, covered
from zoo.store.schema import IGNORE


class Polygons:
    """Outlines of a slide. As regions, inside one of them is 1, outside 0.

    A ring that crosses itself encloses what it winds around, as in QuPath and in ASAP's masks: a loop that goes on
    past its start, or is drawn twice around, loses nothing. What any hole encloses is outside its own outline only; a
    negative outline is cut out of all others.

    Args:
        outlines: the regions or objects.
        ignored: what is in one of these becomes 255, whatever else covers it.
        background: 0, or 255 where what is not outlined is unknown; what is cut out is known to be 0.
        left_out: see `Annotation.left_out`.
    """

    def __init__(
        self,
        outlines: Sequence[Outline],
        ignored: Sequence[Outline] = (),
        background: int = 0,
        left_out: Mapping[str, int] | None = None,
    ) -> None:
        self._outlines, self._ignored, self._background = Drawn(outlines), Drawn(ignored), background
        self.left_out: Mapping[str, int] = left_out or {}

    def raster(self, x: int, y: int, width: int, height: int, downsample: float) -> NDArray[np.uint8]:
        """See `Annotation.raster`."""
        window = centres(x, width, downsample), centres(y, height, downsample)
        label = np.full((height, width), self._background, np.uint8)
        for outline, part, inside in self._outlines.parts(*window):
            label[part][inside] = 0 if outline.negative else 1
        for _, part, inside in self._ignored.parts(*window):
            label[part][inside] = IGNORE
        return label

    def instances(self, x: int, y: int, width: int, height: int, downsample: float) -> NDArray[np.int32]:
        """See `Annotation.instances`: ids are the objects' numbers in the file, and a later one wins a pixel."""
        label = np.zeros((height, width), np.int32)
        window = centres(x, width, downsample), centres(y, height, downsample)
        for outline, part, inside in self._outlines.parts(*window):
            label[part][inside] = 0 if outline.negative else outline.number
        return label


class Drawn:
    """Outlines with what is needed to draw a few of very many quickly; negative ones come last."""

    def __init__(self, outlines: Sequence[Outline]) -> None:
        self._outlines = sorted(outlines, key=lambda outline: outline.negative)
        self._areas = [Area(outline.rings) for outline in self._outlines]
        self._boxes = np.array([area.box for area in self._areas], np.float64).reshape(-1, 4)

    def parts(
        self, xs: NDArray[np.float64], ys: NDArray[np.float64]
    ) -> Iterator[tuple[Outline, Slices, NDArray[np.bool_]]]:
        """Each outline near a window, the part of the window its box covers, and which pixels there are inside.

        Args:
            xs: (W,) ascending coordinates of the columns' centres.
            ys: (H,) ascending coordinates of the rows' centres.
        """
        if not len(self._outlines) or not len(xs) or not len(ys):
            return
        low, high = self._boxes[:, :2], self._boxes[:, 2:]
        near = (low <= (xs[-1], ys[-1])).all(1) & (high >= (xs[0], ys[0])).all(1)
        for index in np.flatnonzero(near):
            part = covered(self._boxes[index], xs, ys)
            if part is not None:
                rows, columns = part
                yield self._outlines[index], part, self._areas[index].inside(xs[columns], ys[rows])

"""Where the patches of a slide lie, at one magnification and at two."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Grid:
    """Regular grid of square patches that begins at the slide's top-left corner.

    Attributes:
        size: side of a patch in its own pixels.
        stride: pixels of a patch from one patch to the next; below `size` they overlap.
        downsample: level-0 pixels per pixel of a patch.
    """

    size: int
    stride: int
    downsample: float

    @property
    def extent(self) -> float:
        """Side of a patch in level-0 pixels."""
        return self.size * self.downsample

    def rows(self, width: int, height: int) -> list[NDArray[np.int64]]:
        """Patches of a slide of `width` x `height` level-0 pixels, by rows.

        Only whole patches: what is left over at the right and lower border is in none.

        Returns:
            For each row (N, 2) int64: x, y of the patches' top-left corners in level-0 pixels, to the nearest one
            where the grid falls between pixels.
        """
        xs, ys = self._starts(width), self._starts(height)
        return [np.stack([xs, np.full_like(xs, y)], 1) for y in ys]

    def _starts(self, length: int) -> NDArray[np.int64]:
        step = self.stride * self.downsample
        starts = np.rint(np.arange(int(length // step) + 1) * step).astype(np.int64)
        whole: NDArray[np.int64] = starts[starts + self.extent <= length + 1e-6]
        return whole


class Parents:
    """Finds, for patches of a higher magnification, the patch of a lower one that wholly holds each.

    Args:
        origins: x, y of the lower magnification's patches in level-0 pixels, in the order they are stored.
        grid: the grid they come from.
        children: the grid of the patches of the higher magnification.
    """

    def __init__(self, origins: Sequence[tuple[int, int]], grid: Grid, children: Grid) -> None:
        self.grid, self.children = grid, children
        self._items = {origin: item for item, origin in enumerate(origins)}
        # Where origins were rounded, a patch at its parent's very border may stick out by a pixel's half on each side.
        whole = all((each.stride * each.downsample).is_integer() for each in (grid, children))
        self._slack = 1e-6 if whole else 1.0

    def window(self, origin: tuple[int, int]) -> tuple[int, float, float, float, float] | None:
        """Item of the parent and the window x0, y0, x1, y1 in its pixels; None where no parent holds the patch.

        Where parents overlap, it is the one with the patch nearest to its middle, the first of equals.

        Args:
            origin: x, y of the patch in level-0 pixels.
        """
        x, y = origin
        corners = [(left, top) for top in self._around(y) for left in self._around(x) if (left, top) in self._items]
        if not corners:
            return None
        half = (self.grid.extent - self.children.extent) / 2
        corner = min(corners, key=lambda c: ((x - c[0] - half) ** 2 + (y - c[1] - half) ** 2, self._items[c]))
        x0, y0 = ((at - low) / self.grid.downsample for at, low in zip(origin, corner, strict=True))
        side = self.children.extent / self.grid.downsample
        x0, y0, x1, y1 = (float(min(max(at, 0), self.grid.size)) for at in (x0, y0, x0 + side, y0 + side))
        return self._items[corner], x0, y0, x1, y1

    def _around(self, at: int) -> list[int]:
        """Where the parents begin, along one axis, that hold a patch that begins at `at`."""
        step, end = self.grid.stride * self.grid.downsample, at + self.children.extent
        first = max(int((end - self.grid.extent - 1) // step), 0)
        starts = [round(index * step) for index in range(first, int((at + 1) // step) + 1)]
        return [low for low in starts if low <= at + self._slack and end <= low + self.grid.extent + self._slack]

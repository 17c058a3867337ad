"""What a backend has to offer, and what all of them share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.images.resolution import Resolution

WHITE = 255


class SlideReader(Protocol):
    """One open slide. Pickled by its path; one thread at a time.

    Attributes:
        path: the slide's file.
        size: width, height in level-0 pixels.
        stated: what the file says of its resolution, in all the places where it does.
        mpp: micrometres a level-0 pixel, the mean of x and y; None if the file doesn't say. Asking raises a DataError
            where the file contradicts itself.
        magnification: of the objective; None if the file doesn't say.
        downsamples: level-0 pixels a pixel of each level, ascending, the first is 1.
    """

    @property
    def path(self) -> Path: ...  # noqa: D102
    @property
    def size(self) -> tuple[int, int]: ...  # noqa: D102
    @property
    def stated(self) -> Sequence[Resolution]: ...  # noqa: D102
    @property
    def mpp(self) -> float | None: ...  # noqa: D102
    @property
    def magnification(self) -> float | None: ...  # noqa: D102
    @property
    def downsamples(self) -> tuple[float, ...]: ...  # noqa: D102

    def read_level(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        """Pixels of one level as stored: (height, width, 3); white outside the slide and where it is transparent.

        Args:
            level: index into `downsamples`.
            x, y: top-left corner in level-0 pixels, taken to the nearest corner of a pixel of the level.
            width, height: in pixels of the level.

        Raises:
            DataError: the file is damaged there, or closed.
        """
        ...

    def close(self) -> None:
        """Free the file; closing twice is fine."""
        ...


def true_downsample(size: tuple[int, int], level_size: tuple[int, int], reported: float) -> float:
    """Level-0 pixels a pixel of a level whose sides (width, height) are `level_size`.

    A level is written by averaging whole blocks of pixels, and the blocks at the right and lower edge that aren't
    complete are dropped or filled. Backends divide the sides and report 4.0003 for what is 4; taken literally, that
    would make every read of the level a resampling, and shift it by up to a pixel at the far edge. So the whole
    number next to it is taken when it explains both sides to the pixel.
    """
    whole = max(1, round(reported))
    explained = all(abs(side - full / whole) <= 1 for full, side in zip(size, level_size, strict=True))
    return float(whole) if explained else reported


def number(text: object) -> float | None:
    """A property as a positive number, None if it isn't one."""
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if np.isfinite(value) and value > 0 else None


def clip(
    start: tuple[int, int], size: tuple[int, int], bounds: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """The part of a window that lies within `bounds`: its start and size, all as x, y; empty parts have size 0."""
    first = [min(max(s, 0), b) for s, b in zip(start, bounds, strict=True)]
    last = [min(max(s + n, 0), b) for s, n, b in zip(start, size, bounds, strict=True)]
    return (first[0], first[1]), (last[0] - first[0], last[1] - first[1])


def on_white(
    part: NDArray[np.uint8], at: tuple[int, int], start: tuple[int, int], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """(height, width, 3) window from `start` of `size`, white but for the part of it that begins at `at`; all x, y."""
    if part.shape[:2] == size[::-1]:
        return np.ascontiguousarray(part)
    window = np.full((size[1], size[0], 3), WHITE, np.uint8)
    x, y = at[0] - start[0], at[1] - start[1]
    window[y : y + part.shape[0], x : x + part.shape[1]] = part
    return window


def unreadable(path: Path, level: int, x: int, y: int, error: Exception) -> DataError:
    """Error for pixels that can't be read."""
    return DataError(
        f"{path}: level {level} can't be read at x={x}, y={y}: {error}; the file is closed, damaged or incomplete: "
        "open it again, or fetch it again"
    )

"""One object of a large field at a low magnification, and boxes of it at a high one, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.errors import ConfigError
from zoo.inference.children import ROUNDING, enlarged
from zoo.inference.large import LargeObject, Progress, Tiling, Values, nothing
from zoo.inference.said import Said
from zoo.inference.session import Session
from zoo.interactions import Interaction
from zoo.interactions.single import Box, moved
from zoo.ops.frame import Frame, Slices
from zoo.ops.places import covering, part, shared, shifted
from zoo.slides.field import Field, Region

MARGIN = 1  # pixel beyond those that linear interpolation depends on: what cubic interpolation depends on


class CloserObject:
    """`ParentSession` for fields of any size: a mask at a low magnification with boxes at a high one pasted in.

    A box begins with the mask of the low one, cubically enlarged and thresholded at 0.5, and is segmented in tiles from
    what was said within it. Boxes opened later lie on top. Nothing is held at the high magnification but boxes, in
    files.

    Args:
        low: the object at the low magnification, segmented.
        session: a loaded checkpoint, for the boxes.
        field: the same region at the high magnification.
        folder: for files as large as the boxes; they are in use until `close`.
        tiling: of the boxes.
    """

    def __init__(
        self, low: LargeObject, session: Session, field: Field, folder: Path, tiling: Tiling | None = None
    ) -> None:
        self.low, self.field, self.tiling = low, field, tiling
        self._session, self._folder = session, folder
        self._boxes: list[tuple[Slices, LargeObject]] = []
        x, y = (
            torch.tensor([(there - here) / low.field.downsample], dtype=torch.float64)
            for there, here in zip(field.origin, low.field.origin, strict=True)
        )
        scale = torch.tensor([low.field.downsample / field.downsample], dtype=torch.float64)
        self._frame = Frame(x, y, scale, field.size)
        folder.mkdir()

    def zoom(self, box: Region, given: Sequence[Interaction], progress: Progress = nothing) -> None:
        """Segment a box.

        Args:
            box: x, y, width, height in pixels of the slide (level 0).
            given: in these pixels, too; what lies within the box is said to it.
            progress: told tile by tile.

        Raises:
            ConfigError: nothing of the field lies in the box.
        """
        place = self.place(box)
        field = self.field.part(place)
        rows, columns = place

        def begin(tile: Slices) -> Values:
            there = tuple(
                slice(each.start + start.start, each.stop + start.start)
                for each, start in zip(tile, (rows, columns), strict=True)
            )
            return self._mask_of_low((there[0], there[1])).astype(np.float32)

        number = len(self._boxes)
        large = LargeObject(self._session, field, self._folder / f"box-{number}", self.tiling, begin)
        self._boxes.append((place, large))
        here = [moved(each, field.origin, field.downsample) for each in given if _lies_in(each, box)]
        large.segment(Said(here, field.size, large.engine.boxes), progress=progress)

    def mask(self, place: Slices) -> NDArray[np.bool_]:
        """(h, w) of these rows and columns of the field at the high magnification."""
        out = self._mask_of_low(place)
        for box, large in self._boxes:
            if (there := shared(place, box)) is not None:
                out[there[0]] = large.mask(there[1])
        return out

    def probability(self, place: Slices) -> Values:
        """(h, w) of these rows and columns, that of the low magnification linearly enlarged."""
        frame, cover = self._covered(place)
        low = torch.from_numpy(self.low.probability(cover))[None, None]
        out: Values = frame.crop(low)[0, 0].numpy().copy()
        for box, large in self._boxes:
            if (there := shared(place, box)) is not None:
                out[there[0]] = large.probability(there[1])
        return out

    def close(self) -> None:
        """Free the files, but not those of the low magnification."""
        for _, large in self._boxes:
            large.close()

    def _mask_of_low(self, place: Slices) -> NDArray[np.bool_]:
        frame, cover = self._covered(place)
        mask = self.low.mask(cover)
        if not mask.any():
            return np.zeros(frame.size, bool)
        return np.array(enlarged(torch.from_numpy(mask)[None, None], frame)[0, 0].numpy())

    def _covered(self, place: Slices) -> tuple[Frame, Slices]:
        """From some pixels of the low field to this place, and these pixels."""
        frame = part(self._frame, place)
        rows, columns = (
            slice(max(0, each.start - MARGIN), min(length, each.stop + MARGIN))
            for each, length in zip(covering(frame, self.low.field.size), self.low.field.size, strict=True)
        )
        return shifted(frame, (rows, columns)), (rows, columns)

    def place(self, box: Region) -> Slices:
        """Whole pixels of the high magnification that a box shows, those at its edges included.

        Raises:
            ConfigError: nothing of the field lies in the box.
        """
        x, y, width, height = box
        found = []
        for start, side, origin, length in zip(
            (y, x), (height, width), self.field.origin[::-1], self.field.size, strict=True
        ):
            low, high = ((at - origin) / self.field.downsample for at in (start, start + side))
            found.append(slice(max(0, math.floor(low + ROUNDING)), min(length, math.ceil(high - ROUNDING))))
        rows, columns = found
        if rows.start >= rows.stop or columns.start >= columns.stop:
            raise ConfigError(f"--zoom {x},{y},{width},{height}: nothing of what is segmented lies in it")
        return rows, columns


def _lies_in(each: Interaction, box: Region) -> bool:
    x, y, width, height = box
    if isinstance(each, Box):
        corners: Sequence[tuple[float, float]] = ((each.x0, each.y0), (each.x1, each.y1))
    else:
        corners = each.points if hasattr(each, "points") else ((each.x, each.y),)
    return all(x <= u < x + width and y <= v < y + height for u, v in corners)

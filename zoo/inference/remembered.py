"""Everything said before a turn, without a second raster of the image for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from zoo.inference.change import Edits, differing, selected, write
from zoo.interactions import Interactions


@dataclass(frozen=True)
class Remembered:
    """What brings back earlier interactions from later ones.

    Attributes:
        marks: the earlier clicks and boxes.
        strokes: boxes of the strokes' raster as they were; None: there were no strokes.
    """

    marks: Interactions
    strokes: Edits | None

    @classmethod
    def of(cls, before: Interactions, after: Interactions) -> Remembered:
        """From both."""
        marks = replace(before, strokes=None)
        if before.strokes is None or after.strokes is None:
            return cls(marks, None)
        same = before.strokes is after.strokes
        return cls(marks, () if same else differing(after.strokes, before.strokes))

    def back(self, after: Interactions) -> Interactions:
        """The earlier interactions; the later ones stay as they are."""
        if self.strokes is None or after.strokes is None:
            return self.marks
        strokes = after.strokes
        if self.strokes:
            strokes = strokes.clone()
            write(strokes, self.strokes)
        return replace(self.marks, strokes=strokes)

    def select(self, index: Tensor) -> Remembered:
        """Those of the samples in `index` (integers)."""
        return Remembered(self.marks.select(index), None if self.strokes is None else selected(self.strokes, index))

"""What was given for many objects of one image, without a map of the image for each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from zoo.interactions import Interaction, Interactions, Scribble
from zoo.interactions.batch import rasterise
from zoo.interactions.single import check, moved
from zoo.ops.frame import Frame
from zoo.ops.places import covering, shifted


@dataclass(frozen=True)
class Stroke:
    """The scribbles of one object in one turn.

    Attributes:
        turn: in which they were given.
        x: column of the raster's first pixel in the image.
        y: row of it.
        raster: (2, h, w) bool, positive and negative.
    """

    turn: float
    x: int
    y: int
    raster: Tensor

    def crop(self, frame: Frame) -> Tensor:
        """(1, 2, h, w) bool: what of it lies in a frame of one sample."""
        place = slice(self.y, self.y + self.raster.shape[1]), slice(self.x, self.x + self.raster.shape[2])
        return shifted(frame, place).crop(self.raster[None], "max", outside="zero")

    def through(self, frame: Frame) -> Stroke:
        """The same in the pixels of a frame of one sample."""
        height, width = self.raster.shape[1:]
        back = frame.inverse((height, width))
        there = replace(back, x0=back.x0 + self.x * frame.scale, y0=back.y0 + self.y * frame.scale)
        rows, columns = covering(there, frame.size)
        scale = frame.scale
        size = (rows.stop - rows.start, columns.stop - columns.start)
        part = Frame(frame.x0 + columns.start / scale, frame.y0 + rows.start / scale, scale, size)
        return replace(self, x=columns.start, y=rows.start, raster=self.crop(part)[0])


@dataclass(frozen=True)
class GivenObjects:
    """Interactions of N objects of one image, scribbles as small as they are.

    Attributes:
        marks: (N samples) clicks and boxes.
        drawn: the scribbles of each object, one raster a turn, in order.
    """

    marks: Interactions
    drawn: tuple[tuple[Stroke, ...], ...]

    @classmethod
    def of(cls, interactions: Interactions) -> GivenObjects:
        """From a batch of samples on one image; its strokes, which have no turn, belong to an object's first."""
        marks = replace(interactions, strokes=None)
        if interactions.strokes is None:
            return cls(marks, ((),) * len(marks))
        firsts = [min(turns, default=0.0) for turns in _turns(marks)]
        return cls(
            marks, tuple(_tight(first, 0, 0, each) for first, each in zip(firsts, interactions.strokes, strict=True))
        )

    @classmethod
    def of_lists(
        cls,
        objects: Sequence[Sequence[Interaction]],
        size: tuple[int, int],
        device: torch.device | str = "cpu",
    ) -> GivenObjects:
        """From one list of interactions an object, for an image of height and width `size`.

        Raises:
            InteractionError: as `Interactions.from_lists`.
        """
        marks = Interactions.from_lists([[i for i in each if not isinstance(i, Scribble)] for each in objects], size)
        drawn = []
        for each in objects:
            scribbles = [given for given in each if isinstance(given, Scribble)]
            turns = sorted({given.turn for given in scribbles})
            rasters = [_rasterised([s for s in scribbles if s.turn == turn], size, turn, device) for turn in turns]
            drawn.append(tuple(raster for found in rasters for raster in found))
        return cls(marks.to(device), tuple(drawn))

    def __len__(self) -> int:
        return len(self.marks)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image."""
        return self.marks.size

    @property
    def positive(self) -> Tensor:
        """(N,) bool: whether anything positive was given for an object."""
        points = (self.marks.points[..., 2] == 1).any(1) | (self.marks.boxes[..., 4] >= 0).any(1)
        strokes = [any(bool(each.raster[0].any()) for each in drawn) for drawn in self.drawn]
        return points | torch.tensor(strokes, dtype=torch.bool, device=points.device)

    @property
    def anchors(self) -> Tensor:
        """One point (N, 2) an object: its first positive click or centre of a box, or a scribble's middle pixel."""
        marks = self.marks.with_box_centres()
        positive = marks.points[..., 2] == 1
        anchors = marks.points.new_zeros(len(marks), 2)
        if positive.shape[1]:
            first = positive.float().argmax(1)
            anchors = marks.points[torch.arange(len(first), device=first.device), first, :2].clone()
        clicked = positive.any(1).tolist()
        for i, drawn in enumerate(self.drawn):
            scribbles = [each for each in drawn if bool(each.raster[0].any())]
            if not clicked[i] and scribbles:
                pixels = scribbles[0].raster[0].nonzero()
                middle = pixels[len(pixels) // 2].flip(0) + pixels.new_tensor([scribbles[0].x, scribbles[0].y])
                anchors[i] = middle.to(anchors.dtype) + 0.5
        return anchors

    @property
    def extent(self) -> Interactions:
        """Clicks and boxes, and two clicks in corner pixels of each positive scribble: what a window has to hold."""
        most = max((len(drawn) for drawn in self.drawn), default=0)
        corners = self.marks.points.new_zeros(len(self), 2 * most, 4)
        corners[..., 2] = -1
        for i, drawn in enumerate(self.drawn):
            for k, each in enumerate(drawn):
                pixels = each.raster[0].nonzero()
                if len(pixels):
                    low, high = pixels.amin(0).flip(0).tolist(), pixels.amax(0).flip(0).tolist()
                    for column, (x, y) in ((2 * k, low), (2 * k + 1, high)):
                        corners[i, column] = corners.new_tensor([each.x + x + 0.5, each.y + y + 0.5, 1, each.turn])
        return replace(self.marks, points=torch.cat([self.marks.points, corners], 1))

    def with_box_centres(self) -> GivenObjects:
        """With a positive click at the centre of each box, in its turn."""
        return replace(self, marks=self.marks.with_box_centres())

    def select(self, index: Tensor) -> GivenObjects:
        """The objects in `index` (integers)."""
        return GivenObjects(self.marks.select(index), tuple(self.drawn[i] for i in index.tolist()))

    def through(self, frame: Frame) -> GivenObjects:
        """The same in the pixels of a frame of one sample, which all objects share."""
        everywhere = frame.select(torch.zeros(len(self), dtype=torch.long, device=frame.x0.device))
        return GivenObjects(
            self.marks.through(everywhere), tuple(tuple(each.through(frame) for each in drawn) for drawn in self.drawn)
        )

    def in_turns(self, marks: Interactions, frames: Frame) -> Iterator[tuple[Interactions, Tensor]]:
        """Turn by turn everything given so far, in each object's window, and for whom (N,) bool there was more.

        Args:
            marks: (N) clicks and boxes in the windows' pixels, which may be more than the objects' own.
            frames: (N) the windows.
        """
        given = self._turns()
        strokes: Tensor | None = None
        for turn in sorted({turn for turns in given for turn in turns}):
            new = [(i, each) for i, drawn in enumerate(self.drawn) for each in drawn if each.turn == turn]
            if new:
                shape = (len(self), 2, *frames.size)
                # A copy: somebody may have kept what there was in an earlier turn.
                strokes = marks.points.new_zeros(shape).bool() if strokes is None else strokes.clone()
                for i, each in new:
                    strokes[i] |= each.crop(frames.select(torch.tensor([i], device=frames.x0.device)))[0]
            who = torch.tensor([turn in turns for turns in given], dtype=torch.bool, device=marks.device)
            yield replace(marks.until(turn), strokes=strokes), who

    def _turns(self) -> list[set[float]]:
        """Those of each object; 0 for one for which nothing was given."""
        marked = _turns(self.marks)
        return [turns | {each.turn for each in drawn} or {0.0} for turns, drawn in zip(marked, self.drawn, strict=True)]


def _turns(marks: Interactions) -> list[set[float]]:
    times = torch.cat([marks.points[..., 3], marks.boxes[..., 4]], 1).tolist()
    given = torch.cat([marks.points[..., 2] >= 0, marks.boxes[..., 4] >= 0], 1).tolist()
    return [{time for time, used in zip(row, use, strict=True) if used} for row, use in zip(times, given, strict=True)]


def _rasterised(
    scribbles: Sequence[Scribble], size: tuple[int, int], turn: int, device: torch.device | str
) -> tuple[Stroke, ...]:
    for each in scribbles:
        check(each, size)
    margin = math.ceil(max(each.width for each in scribbles) / 2) + 2
    found = []
    for axis, length in ((1, size[0]), (0, size[1])):
        places = [point[axis] for each in scribbles for point in each.points]
        found.append((max(0, math.floor(min(places)) - margin), min(length, math.floor(max(places)) + 1 + margin)))
    (top, bottom), (left, right) = found
    here = [moved(each, (left, top), 1.0) for each in scribbles]
    raster = rasterise([each for each in here if isinstance(each, Scribble)], (bottom - top, right - left))
    return _tight(turn, left, top, torch.from_numpy(raster).to(device))


def _tight(turn: float, x: int, y: int, raster: Tensor) -> tuple[Stroke, ...]:
    """What was drawn in a raster whose first pixel is at x, y; nothing if there is nothing."""
    drawn = raster.any(0)
    rows, columns = drawn.any(1).nonzero()[:, 0].tolist(), drawn.any(0).nonzero()[:, 0].tolist()
    if not rows:
        return ()
    place = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return (Stroke(turn, x + columns[0], y + rows[0], raster[:, *place].clone()),)

"""What was said of a batch of images, padded, on one device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import Tensor

from zoo.errors import InteractionError
from zoo.interactions.single import Box, Click, Interaction, Scribble, check
from zoo.ops.rows import rows_of

if TYPE_CHECKING:
    from zoo.ops.frame import Frame

PADDING = -1.0


@dataclass(frozen=True)
class Interactions:
    """A batch of interactions on one device.

    Strokes have no turn: what picks interactions by their turn or number keeps all strokes.

    Attributes:
        points: (B, N, 4) float32: x, y, label (1 positive, 0 negative, -1 padding), turn; columns in time order.
        size: height and width of the images, in pixels.
        strokes: (B, 2, H, W) bool rasters of positive and negative scribbles, or None when there are none.
        boxes: (B, M, 5) float32: x0, y0, x1, y1, turn (-1 is padding).
    """

    points: Tensor
    size: tuple[int, int]
    strokes: Tensor | None
    boxes: Tensor

    @classmethod
    def of(
        cls, points: Tensor, size: tuple[int, int], strokes: Tensor | None = None, boxes: Tensor | None = None
    ) -> Interactions:
        """A batch from its tensors; `boxes` may be left out."""
        return cls(points, size, strokes, points.new_zeros(len(points), 0, 5) if boxes is None else boxes)

    @classmethod
    def empty(cls, batch: int, size: tuple[int, int], device: torch.device | str = "cpu") -> Interactions:
        """A batch in which nobody has said anything."""
        return cls.of(torch.zeros(batch, 0, 4, device=device), size)

    @classmethod
    def clicks(cls, x: Tensor, y: Tensor, label: Tensor, turn: int, size: tuple[int, int]) -> Interactions:
        """Clicks from x, y, label, each (B, N); label -1 is padding."""
        columns = [x, y, label, torch.full_like(x, turn)]
        points = torch.stack([c.to(torch.float32) for c in columns], -1)
        points[..., :2] = points[..., :2].masked_fill(points[..., 2:3] < 0, 0.0)
        return cls.of(points, size)

    @classmethod
    def from_lists(
        cls,
        samples: Sequence[Iterable[Interaction]],
        size: tuple[int, int],
        device: torch.device | str = "cpu",
    ) -> Interactions:
        """The batch of the given interactions, one list a sample, ordered by turn.

        Raises:
            InteractionError: an interaction lies outside the image or is not finite.
        """
        ordered = [sorted(sample, key=lambda each: each.turn) for sample in samples]
        for sample in ordered:
            for each in sample:
                check(each, size)
        points = [[(i.x, i.y, float(i.positive), i.turn) for i in s if isinstance(i, Click)] for s in ordered]
        boxes = [[(i.x0, i.y0, i.x1, i.y1, i.turn) for i in s if isinstance(i, Box)] for s in ordered]
        strokes = None
        if any(isinstance(i, Scribble) for s in ordered for i in s):
            rasters = [rasterise([i for i in s if isinstance(i, Scribble)], size) for s in ordered]
            strokes = torch.from_numpy(rasters[0][None] if len(rasters) == 1 else np.stack(rasters)).to(device)
        clicks = _padded(points, 4, 2)
        # The far edges belong to the last pixels; otherwise a click there would be in no pixel.
        for axis, side in ((0, size[1]), (1, size[0])):
            clicks[..., axis] = clicks[..., axis].masked_fill(clicks[..., axis] >= side, side - 0.5)
        return cls(clicks.to(device), size, strokes, _padded(boxes, 5, 4).to(device))

    def __len__(self) -> int:
        return self.points.shape[0]

    @property
    def device(self) -> torch.device:
        """The device that holds the batch."""
        return self.points.device

    @property
    def spoken(self) -> Tensor:
        """(B,) bool: whether anything was given for the sample."""
        said = (self.points[..., 2] >= 0).any(1) | (self.boxes[..., 4] >= 0).any(1)
        return said if self.strokes is None else said | rows_of(self.strokes).flatten(1).any(1)

    def pixels(self, label: int, strokes: bool = True) -> Tensor:
        """(B, H, W) bool: the pixels under clicks of a label (1 positive, 0 negative) and under its strokes.

        Clicks outside the image are skipped.
        """
        height, width = self.size
        x, y = self.points[..., 0].floor().long(), self.points[..., 1].floor().long()
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (self.points[..., 2] == label)
        # All others mark a place behind the last pixel: to pick out those inside would wait for the device.
        place = torch.where(inside, y * width + x, height * width)
        marked = torch.zeros(len(self), height * width + 1, dtype=torch.bool, device=self.device)
        out = marked.scatter_(1, place, True)[:, :-1].view(len(self), height, width)
        return out | self.strokes[:, 1 - label] if strokes and self.strokes is not None else out

    def to(self, device: torch.device | str) -> Interactions:
        """The same batch on another device."""
        strokes = None if self.strokes is None else self.strokes.to(device)
        return replace(self, points=self.points.to(device), strokes=strokes, boxes=self.boxes.to(device))

    def add(self, other: Interactions) -> Interactions:
        """Both batches' interactions, those of `other` later in time."""
        if self.size != other.size or len(self) != len(other):
            raise InteractionError(
                f"can't add interactions of {len(other)} images of {other.size} to {len(self)} of {self.size}; "
                "both must belong to the same images"
            )
        strokes = self.strokes if other.strokes is None else other.strokes
        if self.strokes is not None and other.strokes is not None:
            strokes = self.strokes | other.strokes
        return Interactions(
            torch.cat([self.points, other.points], 1),
            self.size,
            strokes,
            torch.cat([self.boxes, other.boxes], 1),
        )

    @classmethod
    def cat(cls, parts: Sequence[Interactions]) -> Interactions:
        """The samples of all parts, which must be of one size, as one batch."""
        count = [max(getattr(part, name).shape[1] for part in parts) for name in ("points", "boxes")]
        points = torch.cat([_widened(part.points, count[0]) for part in parts])
        boxes = torch.cat([_widened(part.boxes, count[1]) for part in parts])
        strokes = None
        if any(part.strokes is not None for part in parts):
            empty = (2, *parts[0].size)
            drawn = [points.new_zeros(len(p), *empty).bool() if p.strokes is None else p.strokes for p in parts]
            strokes = torch.cat(drawn)
        return cls(points, parts[0].size, strokes, boxes)

    def select(self, index: Tensor) -> Interactions:
        """The samples in `index` (integers or booleans)."""
        strokes = None if self.strokes is None else self.strokes[index]
        return Interactions(self.points[index], self.size, strokes, self.boxes[index])

    def spread(self, index: Tensor, batch: int) -> Interactions:
        """The opposite of `select`: sample i becomes sample index[i] of a batch in which others say nothing."""
        points = self.points.new_zeros(batch, *self.points.shape[1:])
        points[..., 2] = PADDING
        points[index] = self.points
        boxes = self.boxes.new_full((batch, *self.boxes.shape[1:]), PADDING)
        boxes[index] = self.boxes
        strokes = None
        if self.strokes is not None:
            strokes = self.strokes.new_zeros(batch, *self.strokes.shape[1:])
            strokes[index] = self.strokes
        return Interactions(points, self.size, strokes, boxes)

    def only(self, keep: Tensor) -> Interactions:
        """The same batch in which the samples outside `keep` (B,) bool say nothing."""
        index = keep.nonzero()[:, 0]
        return self.select(index).spread(index, len(self))

    def at(self, turn: int) -> Interactions:
        """The same, given in this turn."""
        points, boxes = self.points.clone(), self.boxes.clone()
        points[..., 3] = turn
        boxes[..., 4] = boxes[..., 4].masked_fill(boxes[..., 4] >= 0, turn)
        return replace(self, points=points, boxes=boxes)

    def until(self, turn: float) -> Interactions:
        """Only the clicks and boxes up to this turn."""
        boxes = self.boxes.masked_fill((self.boxes[..., 4] > turn)[..., None], PADDING)
        return replace(self._clicks(self.points[..., 3] <= turn), boxes=boxes)

    def first(self, n: int) -> Interactions:
        """Only the first `n` clicks of each sample; boxes stay."""
        return self._clicks((self.points[..., 2] >= 0).cumsum(1) <= n)

    def newest(self) -> Interactions:
        """Only the clicks of the last turn in which the sample was clicked; boxes stay."""
        turn = self.points[..., 3].masked_fill(self.points[..., 2] < 0, -torch.inf)
        # The last of the running maxima is the largest, and none where there are no columns.
        return self._clicks(turn == turn.cummax(1).values[:, -1:])

    def with_box_centres(self) -> Interactions:
        """With a positive click at the centre of each box, in its turn."""
        if not self.boxes.shape[1]:
            return self
        x, y = ((self.boxes[..., axis] + self.boxes[..., axis + 2]) / 2 for axis in (0, 1))
        turn = self.boxes[..., 4]
        label = torch.where(turn >= 0, 1.0, PADDING)
        clicks = torch.stack([x, y, label, turn], -1).masked_fill(label[..., None] < 0, 0.0)
        clicks[..., 2] = label
        return replace(self, points=torch.cat([self.points, clicks], 1))

    def through(self, frame: Frame) -> Interactions:
        """The same interactions in crop pixels. Points keep their place outside; strokes are max-pooled."""
        points = torch.cat([frame.points(self.points[..., :2]), self.points[..., 2:]], -1)
        corners = frame.points(self.boxes[..., :4].reshape(len(self), -1, 2)).reshape(len(self), -1, 4)
        strokes = None if self.strokes is None else frame.crop(self.strokes, "max", outside="zero")
        return Interactions(points, frame.size, strokes, torch.cat([corners, self.boxes[..., 4:]], -1))

    def flip(self) -> Interactions:
        """Mirrored left to right: x becomes W - x, and the pixel under a click the mirrored pixel."""
        width = self.size[1]
        points = self.points.clone()
        x = width - points[..., 0]
        # The line between two pixels belongs to the right one; its mirror image has to belong to the left one.
        points[..., 0] = torch.where(x == x.floor(), x.nextafter(x - 1), x)
        boxes = self.boxes.clone()
        boxes[..., 0], boxes[..., 2] = width - self.boxes[..., 2], width - self.boxes[..., 0]
        strokes = None if self.strokes is None else self.strokes.flip(-1)
        return Interactions(points, self.size, strokes, boxes)

    def _clicks(self, keep: Tensor) -> Interactions:
        """Without the clicks outside `keep` (B, N) bool."""
        points = self.points.clone()
        points[..., 2] = points[..., 2].masked_fill(~keep, PADDING)
        return replace(self, points=points)


def rasterise(scribbles: Sequence[Scribble], size: tuple[int, int]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(2, H, W): the pixels of positive and of negative scribbles."""
    raster = np.zeros((2, *size), np.uint8)
    for scribble in scribbles:
        limit = (size[1] - 1, size[0] - 1)
        # The first point twice: OpenCV draws nothing for a line of one point.
        places = np.asarray([scribble.points[0], *scribble.points])
        line = np.minimum(np.floor(places).astype(np.int32), limit).reshape(-1, 1, 2)
        thickness = max(1, round(scribble.width))
        cv2.polylines(raster[0 if scribble.positive else 1], [line], False, 1, thickness)
    return raster.view(np.bool_)  # of an image, all but the drawn pixels are never touched


def _widened(columns: Tensor, count: int) -> Tensor:
    """(B, N, K) with padding up to `count` columns; -1 everywhere is padding for points and boxes alike."""
    missing = count - columns.shape[1]
    return torch.cat([columns, columns.new_full((len(columns), missing, columns.shape[2]), PADDING)], 1)


def _padded(rows: Sequence[Sequence[tuple[float, ...]]], columns: int, flag: int) -> Tensor:
    longest = max((len(row) for row in rows), default=0)
    out = torch.zeros(len(rows), longest, columns)
    out[..., flag] = PADDING
    for i, row in enumerate(rows):
        if row:
            out[i, : len(row)] = torch.tensor(row)
    return out

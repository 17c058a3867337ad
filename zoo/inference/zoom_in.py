"""A closer look at what is being segmented."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from zoo.errors import ConfigError
from zoo.inference.bounds import bounds_of, positive_bounds
from zoo.inference.zoom import SHRINK, InteractionWindow, WholeImage, Zoom
from zoo.interactions import Interactions
from zoo.ops.frame import Frame

MULTIPLE = 32
SHAPES = ("square", "keep")
TINY = 1e-6
"""Pixels; more than any rounding error, so that none adds a pixel."""


class ZoomIn(Zoom):
    """The box around the current mask and the positive clicks, resampled to one size (f-BRS, section 4.2; RITM).

    The first `skip` clicks see what `first` shows, and so does a sample whose mask is empty. Otherwise the box of the
    pixels above `threshold` and of those under positive clicks and strokes and in boxes grows by `expand`, to at least
    `least` pixels, outwards to whole pixels, and is cut at the image's edges. Then it is made as wide and high as the
    crop's shape needs, and moved inside the image where it fits. The last box stays as long as its IoU with the new one
    is at least `keep` and it holds everything positive; what `first` shows is no box and does not stay.

    Args:
        side: long side of the crop, in crop pixels; a multiple of 32.
        expand: factor on the box's height and width.
        least: smallest box, in image pixels.
        skip: clicks before the first zoom; strokes are not counted. Where it is 0, a box does as well as a click.
        keep: IoU of boxes.
        threshold: on the probability.
        aspect: `square` crops fit in one batch; with `keep`, the box's own shape as in the papers (its short side up
            to a multiple of 32 crop pixels), only samples whose crops happen to be of one size are segmented together.
        most: an image of more pixels than a square of this side is scaled down to that many where it is seen whole, or
            seen in a window (see `WholeImage`); None: twice `side`, as networks are trained on windows of about `side`
            pixels.
        shrink: pixels of a large image along one of what is seen of it whole, at most (see `WholeImage`).
        first: what is seen before there is something to look closer at. None: the whole image. With an
            `InteractionWindow` the policy asks for windows of its side: a small object in a large image is found at the
            first click, and followed beyond the window.
        looks: with a `skip` of 0, how often it is looked in the turn that finds something: first at all, then at the
            box of what was found, and again at most so often while that box moves.
        wider: sides of larger windows, in image pixels, from which it begins as well in the turn that finds something,
            each shown in a crop of `side`: of an object that `first` shows a part of, it may find that part only. The
            policy then asks for windows of the largest of these sides.
        surer: by how much the probability of what was found, its mean over the pixels above the threshold, has to be
            higher for a wider window to count, at the first look, without which no other follows from there, and at the
            last.
    """

    threshold: float

    def __init__(
        self,
        side: int = 384,
        expand: float = 1.4,
        least: int = 200,
        skip: int = 1,
        keep: float = 0.5,
        threshold: float = 0.5,
        aspect: Literal["square", "keep"] = "square",
        most: int | None = None,
        first: InteractionWindow | None = None,
        looks: int = 1,
        shrink: int = SHRINK,
        wider: Sequence[int] = (),
        surer: float = 0.06,
    ) -> None:
        wrong = side < MULTIPLE or side % MULTIPLE or not expand >= 1 or min(least, looks) < 1 or skip < 0
        if wrong or aspect not in SHAPES:
            raise ConfigError(
                f"side={side} must be a multiple of {MULTIPLE}, expand={expand}, least={least} and looks={looks} at "
                f"least 1, skip={skip} at least 0, and aspect={aspect!r} 'square' or 'keep'"
            )
        self.side, self.expand, self.least, self.skip = side, expand, least, skip
        self.keep, self.threshold, self.aspect = keep, threshold, aspect
        self.first: Zoom = WholeImage(MULTIPLE, 2 * side if most is None else most, shrink) if first is None else first
        self.window, self.looks = self.first.window, looks
        if wider and (first is None or skip or min(wider) < least or not 0 <= surer <= 1):
            raise ConfigError(
                f"wider={list(wider)} must be sides of least={least} pixels or more, and wants a `first` window, a "
                f"skip of 0 (it is {skip}) and a surer of 0 to 1 (it is {surer:g})"
            )
        self.window = max([*wider, self.window or 0]) or None
        self.wider, self.surer = tuple(self._beginning(at_least) for at_least in wider), surer

    def _beginning(self, at_least: int) -> ZoomIn:
        """The same policy, but that it sees so much first."""
        other = copy.copy(self)
        other.first, other.wider = WiderWindow(self, at_least), ()
        return other

    def __call__(self, interactions: Interactions, probability: Tensor) -> Frame:
        """New square frames, whatever was there before and however few the clicks."""
        boxes, _ = self._boxes(interactions, self._mask(probability))
        return Frame.of_rows(self.rows(boxes, interactions.size, "square"))

    def largest(self, size: tuple[int, int]) -> tuple[int, int]:
        """Of what is seen first and the crop."""
        height, width = self.first.largest(size)
        return max(height, self.side), max(width, self.side)

    def frames(
        self, interactions: Interactions, probability: Tensor, last: Tensor, bounds: Tensor | None = None
    ) -> list[tuple[Tensor, Frame]]:
        """Crops of one size together, what is seen first among them."""
        mask = self._mask(probability) if bounds is None else bounds
        boxes, positive = self._boxes(interactions, mask)
        first = self.first(interactions, probability).rows()
        rows = self.rows(boxes, interactions.size, self.aspect)
        # Kept rows are the last ones bit by bit: refiners start anew where they differ.
        rows = torch.where(self._stays(rows, last, first, positive)[:, None], last, rows)
        closer = (interactions.points[..., 2] >= 0).sum(1) > self.skip
        if self.skip == 0:
            closer = closer | (interactions.boxes[..., 4] >= 0).any(1)
        found = mask[:, 2] > mask[:, 0]
        rows = torch.where((closer & found)[:, None], rows, first)
        out = []
        for size in sorted(set(map(tuple, rows[:, 3:].tolist()))):
            index = (rows[:, 3:] == rows.new_tensor(size)).all(1).nonzero()[:, 0]
            out.append((index, Frame.of_rows(rows[index])))
        return out

    def _mask(self, probability: Tensor) -> Tensor:
        """(B, 4): bounds of the pixels above the threshold."""
        mask = (probability > self.threshold)[:, 0]
        return bounds_of(mask.any(2), mask.any(1))

    def _boxes(self, interactions: Interactions, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 4) float64 x0, y0, x1, y1 in image pixels: what to look at, and around all pixels said to be positive.

        Without a mask it is the whole image; without a positive pixel x0 = y0 = inf and x1 = y1 = -inf.
        """
        limit = mask.new_tensor(interactions.size[::-1])
        positive = positive_bounds(interactions)
        found = mask[:, 2:3] > mask[:, :1]
        low = torch.where(found, torch.minimum(mask[:, :2], positive[:, :2]), 0.0)
        high = torch.where(found, torch.maximum(mask[:, 2:], positive[:, 2:]), limit)
        return self.grown(low, high, self.least, limit), positive

    def grown(self, low: Tensor, high: Tensor, least: int, limit: Tensor) -> Tensor:
        """(B, 4) boxes from low (B, 2) to high (B, 2) grown by `expand`, to `least` pixels, within 0..limit (2,)."""
        half = ((high - low) * self.expand).clamp(min=least) / 2
        middle = (low + high) / 2
        low, high = (middle - half + TINY).floor().clamp(min=0), torch.minimum((middle + half - TINY).ceil(), limit)
        return torch.cat([low, high], 1)

    def rows(self, boxes: Tensor, size: tuple[int, int], aspect: str) -> Tensor:
        """(B, 5), as `Frame.rows` gives them, of the crops that hold the boxes."""
        low, high = boxes[:, :2], boxes[:, 2:]
        longest = (high - low).amax(1, keepdim=True)
        if aspect == "square":
            crop = torch.full_like(low, self.side)
        else:
            crop = (((high - low) * self.side / longest - TINY) / MULTIPLE).ceil() * MULTIPLE
        extent = crop * longest / self.side
        limit = boxes.new_tensor(size[::-1])
        fits = extent <= limit
        low, high = torch.where(fits, low, 0.0), torch.where(fits, high, limit)
        start = torch.maximum(((low + high - extent) / 2).floor(), high - extent)
        start = torch.where(fits, torch.minimum(start.clamp(min=0), limit - extent), start)
        return torch.cat([start, self.side / longest, crop.flip(1)], 1)

    def _stays(self, rows: Tensor, last: Tensor, first: Tensor, positive: Tensor) -> Tensor:
        """(B,) bool: whether the last box still does."""
        new, before = _box(rows), _box(last)
        both = (torch.minimum(new[:, 2:], before[:, 2:]) - torch.maximum(new[:, :2], before[:, :2])).clamp(min=0)
        shared = both.prod(1)
        union = (new[:, 2:] - new[:, :2]).prod(1) + (before[:, 2:] - before[:, :2]).prod(1) - shared
        holds = (positive[:, :2] >= before[:, :2]).all(1) & (positive[:, 2:] <= before[:, 2:]).all(1)
        return (last[:, 2] > 0) & (last != first).any(1) & holds & (shared >= self.keep * union)


class WiderWindow(Zoom):
    """What a `ZoomIn` that looks wider sees first: a box around everything positive, as it would look closer at one.

    Args:
        zoom: makes crops of boxes.
        least: smallest box, in image pixels.
    """

    def __init__(self, zoom: ZoomIn, least: int) -> None:
        self.zoom, self.least = zoom, least

    def __call__(self, interactions: Interactions, probability: Tensor) -> Frame:
        """Of one size; of the whole image where nothing positive was said."""
        positive = positive_bounds(interactions)
        limit = positive.new_tensor(interactions.size[::-1])
        said = positive[:, 2:3] >= positive[:, :1]
        low, high = torch.where(said, positive[:, :2], 0.0), torch.where(said, positive[:, 2:], limit)
        return Frame.of_rows(self.zoom.rows(self.zoom.grown(low, high, self.least, limit), interactions.size, "square"))

    def largest(self, size: tuple[int, int]) -> tuple[int, int]:
        """The crop."""
        return self.zoom.side, self.zoom.side


def _box(rows: Tensor) -> Tensor:
    """(B, 4) x0, y0, x1, y1 of frames' rows; edges on whole pixels are exactly there, for an IoU of exactly `keep`."""
    extent = rows[:, [4, 3]] / rows[:, 2:3].clamp(min=1e-9)
    return torch.cat([rows[:, :2], rows[:, :2] + extent], 1).round(decimals=6)

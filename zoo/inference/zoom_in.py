"""A closer look at what is being segmented."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from zoo.errors import ConfigError
from zoo.inference.zoom import WholeImage, Zoom
from zoo.interactions import Interactions
from zoo.ops.frame import Frame

MULTIPLE = 32
SHAPES = ("square", "keep")
TINY = 1e-6
"""Pixels; more than any rounding error, so that none adds a pixel."""


class ZoomIn(Zoom):
    """The box around the current mask and the positive clicks, resampled to one size (f-BRS, section 4.2; RITM).

    The first `skip` clicks see the whole image, and so does a sample whose mask is empty. Otherwise the box of the
    pixels above `threshold` and of those under positive clicks and strokes grows by `expand`, to at least `least`
    pixels, outwards to whole pixels, and is cut at the image's edges. Then it is made as wide and high as the crop's
    shape needs, and moved inside the image where it fits. The last box stays as long as its IoU with the new one is
    at least `keep` and it holds everything positive; a whole image at its own scale is no box and does not stay.

    Args:
        side: long side of the crop, in crop pixels; a multiple of 32.
        expand: factor on the box's height and width.
        least: smallest box, in image pixels.
        skip: clicks before the first zoom; strokes are not counted.
        keep: IoU of boxes.
        threshold: on the probability.
        aspect: `square` crops fit in one batch; with `keep`, the box's own shape as in the papers (its short side up
            to a multiple of 32 crop pixels), only samples whose crops happen to be of one size are segmented together.
    """

    def __init__(
        self,
        side: int = 384,
        expand: float = 1.4,
        least: int = 200,
        skip: int = 1,
        keep: float = 0.5,
        threshold: float = 0.5,
        aspect: Literal["square", "keep"] = "square",
    ) -> None:
        if side < MULTIPLE or side % MULTIPLE or not expand >= 1 or least < 1 or skip < 0 or aspect not in SHAPES:
            raise ConfigError(
                f"side={side} must be a multiple of {MULTIPLE}, expand={expand} and least={least} at least 1, "
                f"skip={skip} at least 0, and aspect={aspect!r} 'square' or 'keep'"
            )
        self.side, self.expand, self.least, self.skip = side, expand, least, skip
        self.keep, self.threshold, self.aspect = keep, threshold, aspect
        self.whole = WholeImage(MULTIPLE)

    def __call__(self, interactions: Interactions, probability: Tensor) -> Frame:
        """New square frames, whatever was there before and however few the clicks."""
        boxes, _ = self._boxes(interactions, probability)
        return Frame.of_rows(self._rows(boxes, interactions.size, "square"))

    def largest(self, size: tuple[int, int]) -> tuple[int, int]:
        """Of the whole image and the crop."""
        height, width = self.whole.largest(size)
        return max(height, self.side), max(width, self.side)

    def frames(self, interactions: Interactions, probability: Tensor, last: Tensor) -> list[tuple[Tensor, Frame]]:
        """Whole images together, crops of one size together."""
        boxes, positive = self._boxes(interactions, probability)
        whole = self.whole(interactions, probability).rows()
        rows = self._rows(boxes, interactions.size, self.aspect)
        # Kept rows are the last ones bit by bit: refiners start anew where they differ.
        rows = torch.where(self._stays(rows, last, whole, positive)[:, None], last, rows)
        closer = (interactions.points[..., 2] >= 0).sum(1) > self.skip
        empty = (probability <= self.threshold).flatten(1).all(1)
        rows = torch.where((closer & ~empty)[:, None], rows, whole)
        out = []
        for size in sorted(set(map(tuple, rows[:, 3:].tolist()))):
            index = (rows[:, 3:] == rows.new_tensor(size)).all(1).nonzero()[:, 0]
            out.append((index, Frame.of_rows(rows[index])))
        return out

    def _boxes(self, interactions: Interactions, probability: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 4) float64 x0, y0, x1, y1 in image pixels: what to look at, and around all pixels said to be positive.

        Without a mask it is the whole image; without a positive pixel x0 = y0 = inf and x1 = y1 = -inf.
        """
        limit = probability.new_tensor(interactions.size[::-1], dtype=torch.float64)
        mask = (probability > self.threshold)[:, 0]
        positive = interactions.pixels(1)
        low, high = _bounds(mask | (positive & mask.flatten(1).any(1)[:, None, None]))
        empty = high <= low
        low, high = torch.where(empty, 0.0, low), torch.where(empty, limit, high)
        half = ((high - low) * self.expand).clamp(min=self.least) / 2
        middle = (low + high) / 2
        low, high = (middle - half + TINY).floor().clamp(min=0), torch.minimum((middle + half - TINY).ceil(), limit)
        return torch.cat([low, high], 1), torch.cat(_bounds(positive), 1)

    def _rows(self, boxes: Tensor, size: tuple[int, int], aspect: str) -> Tensor:
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

    def _stays(self, rows: Tensor, last: Tensor, whole: Tensor, positive: Tensor) -> Tensor:
        """(B,) bool: whether the last box still does."""
        new, before = _box(rows), _box(last)
        both = (torch.minimum(new[:, 2:], before[:, 2:]) - torch.maximum(new[:, :2], before[:, :2])).clamp(min=0)
        shared = both.prod(1)
        union = (new[:, 2:] - new[:, :2]).prod(1) + (before[:, 2:] - before[:, :2]).prod(1) - shared
        holds = (positive[:, :2] >= before[:, :2]).all(1) & (positive[:, 2:] <= before[:, 2:]).all(1)
        return (last[:, 2] > 0) & (last != whole).any(1) & holds & (shared >= self.keep * union)


def _bounds(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Least and greatest (B, 2) float64 x, y of the edges of the pixels in (B, H, W); inf and -inf without any."""
    lows, highs = [], []
    for axis in (1, 2):
        along = pixels.any(axis)
        place = torch.arange(along.shape[1], device=pixels.device, dtype=torch.float64)
        lows.append(torch.where(along, place, torch.inf).amin(1))
        highs.append(torch.where(along, place + 1, -torch.inf).amax(1))
    return torch.stack(lows, 1), torch.stack(highs, 1)


def _box(rows: Tensor) -> Tensor:
    """(B, 4) x0, y0, x1, y1 of frames' rows; edges on whole pixels are exactly there, for an IoU of exactly `keep`."""
    extent = rows[:, [4, 3]] / rows[:, 2:3].clamp(min=1e-9)
    return torch.cat([rows[:, :2], rows[:, :2] + extent], 1).round(decimals=6)

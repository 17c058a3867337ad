"""A closer look at what is being segmented."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from zoo.errors import ConfigError
from zoo.inference.frame import Frame
from zoo.inference.zoom import WholeImage, Zoom, up
from zoo.interactions import Interactions


class ZoomIn(Zoom):
    """The box around the current mask and the positive clicks, resampled to one size (f-BRS, section 4.2; RITM).

    The first `skip` clicks see the whole image. Then the box of the pixels above `threshold` and of the positive clicks
    grows by `expand`, to at least `least` pixels, and is cut at the image's edges; without a mask it is the whole
    image. The last box stays as long as it overlaps the new one with an IoU of `keep` and holds all positive clicks.

    Args:
        side: long side of the crop, in crop pixels; a multiple of 32.
        expand: factor on the box's height and width.
        least: smallest box, in image pixels.
        skip: clicks before the first zoom.
        keep: IoU of boxes.
        threshold: on the probability.
        aspect: `square` crops fit in one batch; with `keep`, the box's own shape as in the papers, samples are
            segmented one by one.
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
        if side < 32 or side % 32 or not expand >= 1 or least < 1 or skip < 0 or aspect not in ("square", "keep"):
            raise ConfigError(
                f"side={side} must be a multiple of 32, expand={expand} and least={least} at least 1, skip={skip} at "
                f"least 0, and aspect={aspect!r} 'square' or 'keep'"
            )
        self.side, self.expand, self.least, self.skip = side, expand, least, skip
        self.keep, self.threshold, self.aspect = keep, threshold, aspect
        self.whole = WholeImage()

    def __call__(self, interactions: Interactions, probability: Tensor) -> Frame:
        """New square frames, whatever was there before."""
        return self._frame(self._boxes(interactions, probability))

    def largest(self, size: tuple[int, int]) -> tuple[int, int]:
        """Of the whole image and the crop."""
        height, width = self.whole.largest(size)
        return max(height, self.side), max(width, self.side)

    def frames(self, interactions: Interactions, probability: Tensor, last: Tensor) -> list[tuple[Tensor, Frame]]:
        """Samples before their first zoom together, the others together or, with `aspect: keep`, one by one."""
        closer = (interactions.points[..., 2] >= 0).sum(1) > self.skip
        out = []
        far, near = (~closer).nonzero()[:, 0], closer.nonzero()[:, 0]
        if len(far):
            out.append((far, self.whole(interactions.select(far), probability[far])))
        if len(near):
            said = interactions.select(near)
            boxes = self._kept(self._boxes(said, probability[near]), last[near], said)
            if self.aspect == "square":
                out.append((near, self._frame(boxes)))
            else:
                out += [(near[i : i + 1], self._frame(boxes[i : i + 1])) for i in range(len(near))]
        return out

    def _boxes(self, interactions: Interactions, probability: Tensor) -> Tensor:
        """(B, 4) float64 x0, y0, x1, y1, in image pixels."""
        height, width = interactions.size
        mask = (probability > self.threshold)[:, 0]
        seen = mask | (interactions.pixels(1) & mask.flatten(1).any(1)[:, None, None])
        limits = []
        for axis, length in ((1, width), (2, height)):
            along = seen.any(axis)
            place = torch.arange(length, device=mask.device, dtype=torch.float64)
            low = torch.where(along, place, length).amin(1)
            high = torch.where(along, place + 1, 0).amax(1)
            none = high <= low
            low, high = low.masked_fill(none, 0), high.masked_fill(none, length)
            half = ((high - low) * self.expand).clamp(min=self.least) / 2
            middle = (low + high) / 2
            limits.append(((middle - half).round().clamp(min=0), (middle + half).round().clamp(max=length)))
        (x0, x1), (y0, y1) = limits
        boxes = torch.stack([x0, y0, x1, y1], 1)
        return self._squared(boxes, (height, width)) if self.aspect == "square" else boxes

    @staticmethod
    def _squared(boxes: Tensor, size: tuple[int, int]) -> Tensor:
        """As wide as high, moved inside an image that is large enough."""
        side = (boxes[:, 2:] - boxes[:, :2]).amax(1, keepdim=True)
        limit = boxes.new_tensor([size[1], size[0]])
        low = ((boxes[:, :2] + boxes[:, 2:] - side) / 2).floor()
        low = torch.where(side <= limit, torch.minimum(low.clamp(min=0), limit - side), low)
        return torch.cat([low, low + side], 1)

    def _kept(self, boxes: Tensor, last: Tensor, interactions: Interactions) -> Tensor:
        """The last boxes where they still do."""
        before = torch.cat([last[:, :2], last[:, :2] + last[:, [4, 3]] / last[:, 2:3].clamp(min=1e-9)], 1)
        whole = Frame.whole(len(last), self.whole.largest(interactions.size), last.device).rows()
        zoomed = (last[:, 2] > 0) & (last != whole).any(1)
        overlap = (torch.minimum(boxes[:, 2:], before[:, 2:]) - torch.maximum(boxes[:, :2], before[:, :2])).clamp(min=0)
        both = overlap.prod(1)
        union = (boxes[:, 2:] - boxes[:, :2]).prod(1) + (before[:, 2:] - before[:, :2]).prod(1) - both
        xy, positive = interactions.points[..., :2].double(), interactions.points[..., 2] == 1
        inside = ((xy >= before[:, None, :2]) & (xy < before[:, None, 2:])).all(-1)
        keep = zoomed & (both / union >= self.keep) & (inside | ~positive).all(1)
        return torch.where(keep[:, None], before, boxes)

    def _frame(self, boxes: Tensor) -> Frame:
        extent = boxes[:, 2:] - boxes[:, :2]
        scale = self.side / extent.amax(1)
        if self.aspect == "square":
            size = (self.side, self.side)
        else:
            width, height = (up(int((length * scale[0]).ceil()), 32) for length in extent[0])
            size = (height, width)
        return Frame(boxes[:, 0], boxes[:, 1], scale, size)

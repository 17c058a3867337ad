"""Which part of an image the network sees."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from zoo.errors import ConfigError
from zoo.inference.bounds import positive_bounds
from zoo.interactions import Interactions
from zoo.ops.frame import Frame

MOST = 768
"""Twice the side of the windows that networks for regions are trained on."""
SHRINK = 4
"""Pixels of an image along one of a view of it, at most: objects are not to vanish."""


class Zoom(ABC):
    """Chooses the frame of each sample from what was said.

    Attributes:
        window: side in pixels of the window that the policy wants around an interaction; None for the whole image.
        threshold: where a policy looks only at the bounds of the pixels above it, not at the probability itself, it is
            told them by engines that know them; None: it is told nothing.
        looks: how often a sample whose mask was empty is looked at in a turn, as long as what is found moves the frame.
        wider: policies that begin with more of the image, for a sample whose mask was empty, one after the other. What
            one of them finds counts instead if its certainty, the mean probability of its pixels above the method's
            threshold, is higher by more than `surer`: at its first look than at this policy's, and in the end than what
            has counted so far.
        surer: see `wider`.
    """

    window: int | None = None
    threshold: float | None = None
    looks: int = 1
    wider: Sequence[Zoom] = ()
    surer: float = 0.0

    @abstractmethod
    def __call__(self, interactions: Interactions, probability: Tensor) -> Frame:
        """The frames for images of the interactions' size; `probability` is the current (B, 1, H, W)."""

    def frames(
        self, interactions: Interactions, probability: Tensor, last: Tensor, bounds: Tensor | None = None
    ) -> list[tuple[Tensor, Frame]]:
        """The samples that share a crop size, (K,) integers, with their frames; every sample once.

        Args:
            interactions: everything said so far, in image pixels.
            probability: the current one, (B, 1, H, W).
            last: (B, 5) float64, the previous turn's frames as `Frame.rows` gives them, 0 in the first turn.
            bounds: (B, 4) float64 x0, y0, x1, y1 of the pixels above `threshold`, inf and -inf without any; None: not
                known, or the policy has no threshold.
        """
        return [(torch.arange(len(interactions), device=interactions.device), self(interactions, probability))]

    @abstractmethod
    def largest(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the largest crop of an image of `size`."""


class WholeImage(Zoom):
    """The whole image, its right and bottom edges repeated up to a multiple of `multiple` pixels.

    An image of no more pixels than a square of side `most` is seen at its own scale. A larger one is scaled down to
    that many, averaged by area: a network has not learned from more, and its time would grow with the image. An image
    that would be scaled down more than `shrink` times is seen at that scale in a window of `shrink` times `most`,
    around what was said to be positive, or at what scale all of that can be seen. With `most` of None all are seen as
    they are.

    Args:
        multiple: of the sides of what is seen.
        most: side of a square of as many pixels as are seen.
        shrink: pixels of the image along one of what is seen, at most. 1: a large image is not scaled down, for
            networks that have learned from one scale.

    Raises:
        ConfigError: `most` is less than `multiple`, or `multiple` or `shrink` less than 1.
    """

    def __init__(self, multiple: int = 32, most: int | None = MOST, shrink: int = SHRINK) -> None:
        if multiple < 1:
            raise ConfigError(f"multiple={multiple} of the sides of what is seen must be 1 or more")
        if most is not None and most < multiple:
            raise ConfigError(f"most={most}: the side of what is seen of a whole image is at least {multiple} px")
        if shrink < 1:
            raise ConfigError(f"shrink={shrink}: pixels of the image along one of what is seen of it, at least 1")
        self.multiple, self.most, self.shrink = multiple, most, shrink

    def __call__(self, interactions: Interactions, probability: Tensor) -> Frame:
        """The same frame for every sample, except in images that are seen in a window."""
        size, crop = interactions.size, self.largest(interactions.size)
        whole = Frame.whole(len(interactions), crop, interactions.device)
        scale = self._scale(size)
        shrink = self.shrink
        if self._whole(size) or all(side <= cells * shrink for side, cells in zip(size, crop, strict=True)):
            return replace(whole, scale=whole.scale * scale)
        limit, cells = whole.scale.new_tensor(size[::-1]), whole.scale.new_tensor(crop[::-1])
        bounds = positive_bounds(interactions)
        said = bounds[:, 2:] > bounds[:, :2]
        low, high = torch.where(said, bounds[:, :2], 0.0), torch.where(said, bounds[:, 2:], limit)
        # In whole pixels of an image that is scaled down so, as the start is, which else may lie behind the first.
        first = torch.where(said, (low / shrink).floor() * shrink, torch.inf)
        end = (high / shrink).ceil() * shrink
        extent = torch.where(said, end - first, 0.0)
        scales = (cells / extent).amin(1).clamp(max=1 / shrink)
        shown = cells / scales[:, None]
        start = torch.minimum(((low + high - shown) / 2 / shrink).round() * shrink, first).clamp(min=0)
        last = ((limit - shown) / shrink).ceil() * shrink
        start = torch.minimum(start, last.clamp(min=0))
        return Frame(start[:, 0], start[:, 1], scales, crop)

    def largest(self, size: tuple[int, int]) -> tuple[int, int]:
        """The image, scaled where it is large, with its edges repeated."""
        scale, most = self._scale(size), math.inf if self.most is None else up(self.most, self.multiple)
        height, width = (up(math.ceil(side * scale - 1e-6), self.multiple) for side in size)
        if self._whole(size):
            return height, width
        return int(min(height, most)), int(min(width, most))

    def _scale(self, size: tuple[int, int]) -> float:
        return 1.0 if self.most is None else min(1.0, max(1 / self.shrink, self.most / math.sqrt(math.prod(size))))

    def _whole(self, size: tuple[int, int]) -> bool:
        """Whether all of an image is seen, scaled down or not."""
        return self.most is None or math.sqrt(math.prod(size)) < self.most * self.shrink


class InteractionWindow(Zoom):
    """A square window of `side` pixels around what was said first; NuClick's crop.

    The window is centred on the bounding box of the first turn's positive interactions, or of boxes where nothing else
    was said. When positive interactions or boxes lie outside it, it is centred on all of them, and scaled down to
    `side` when their box is larger (NuClick, section III.C, for squiggles). Negative clicks count where nothing
    positive was said.

    Raises:
        ConfigError: `side` is less than 1.
    """

    def __init__(self, side: int = 128) -> None:
        if side < 1:
            raise ConfigError(f"side={side} of a window must be 1 pixel or more")
        self.window = side

    def __call__(self, interactions: Interactions, probability: Tensor) -> Frame:
        """Whole-pixel windows at scale 1 wherever everything positive fits."""
        side = self.window or 0
        points = interactions.points
        positive = points[..., 2] == 1
        said = torch.isfinite(positive_bounds(interactions)).all(1, keepdim=True)
        positive = torch.where(said, positive, points[..., 2] >= 0)
        turn = torch.where(positive, points[..., 3], torch.inf)
        first = positive & (turn == turn.amin(1, keepdim=True)) if turn.shape[1] else positive
        box = self._box(interactions, first)
        frame = Frame.around((box[:, 0] + box[:, 2]) / 2, (box[:, 1] + box[:, 3]) / 2, side, interactions.size)
        full = self._around_boxes(self._box(interactions, positive), interactions.boxes)
        x1, y1 = frame.x0 + side, frame.y0 + side
        fits = (full[:, 0] >= frame.x0) & (full[:, 1] >= frame.y0) & (full[:, 2] <= x1) & (full[:, 3] <= y1)
        if bool(fits.all()):
            return frame
        centre_x, centre_y = (full[:, 0] + full[:, 2]) / 2, (full[:, 1] + full[:, 3]) / 2
        wide = Frame.around(centre_x, centre_y, side, interactions.size)
        extent = torch.maximum(full[:, 2] - full[:, 0], full[:, 3] - full[:, 1])
        scale = torch.where(extent > side, side / extent, 1.0)
        # Never behind the first pixel, as rounding could have it: a click on its edge would lie outside.
        x0 = torch.where(scale < 1, torch.minimum(centre_x - side / scale / 2, full[:, 0]), wide.x0)
        y0 = torch.where(scale < 1, torch.minimum(centre_y - side / scale / 2, full[:, 1]), wide.y0)
        return Frame(
            torch.where(fits, frame.x0, x0),
            torch.where(fits, frame.y0, y0),
            torch.where(fits, frame.scale, scale),
            frame.size,
        )

    def largest(self, size: tuple[int, int]) -> tuple[int, int]:
        """The window."""
        return self.window or 0, self.window or 0

    @staticmethod
    def _around_boxes(full: Tensor, boxes: Tensor) -> Tensor:
        given = boxes[..., 4] >= 0
        low, _ = _bounds(boxes[..., :2].double(), given)
        _, high = _bounds(boxes[..., 2:4].double(), given)
        return torch.cat([torch.minimum(full[:, :2], low), torch.maximum(full[:, 2:], high)], 1)

    @classmethod
    def _box(cls, interactions: Interactions, use: Tensor) -> Tensor:
        """Bounds (B, 4) x0, y0, x1, y1 of pixels of points in `use` and positive strokes; else of boxes; else all."""
        height, width = interactions.size
        pixel = interactions.points[..., :2].double().floor()
        low, _ = _bounds(pixel, use)
        _, high = _bounds(pixel + 1, use)
        if interactions.strokes is not None:
            stroke = interactions.strokes[:, 0]
            centres_x = torch.arange(width, device=stroke.device, dtype=torch.float64) + 0.5
            centres_y = torch.arange(height, device=stroke.device, dtype=torch.float64) + 0.5
            low_x, high_x = _bounds(centres_x[None, :, None].expand(len(stroke), -1, 1), stroke.any(1))
            low_y, high_y = _bounds(centres_y[None, :, None].expand(len(stroke), -1, 1), stroke.any(2))
            low = torch.minimum(low, torch.cat([low_x, low_y], -1) - 0.5)
            high = torch.maximum(high, torch.cat([high_x, high_y], -1) + 0.5)
        found = torch.cat([low, high], 1)
        found = torch.where(_nowhere(found), cls._around_boxes(found, interactions.boxes), found)
        whole = low.new_tensor([0, 0, width, height]).expand(len(low), -1)
        return torch.where(_nowhere(found), whole, found)


def up(length: int, multiple: int) -> int:
    """The next multiple that is not less than `length`."""
    return -(-length // multiple) * multiple


def _nowhere(bounds: Tensor) -> Tensor:
    """(B, 1) bool: whether they are those of nothing."""
    return ~torch.isfinite(bounds).all(1, keepdim=True)


def _bounds(values: Tensor, use: Tensor) -> tuple[Tensor, Tensor]:
    """Least and greatest of (B, N, K) values where `use` (B, N); inf and -inf where nothing is used."""
    empty = values.new_full((len(values), 1, values.shape[-1]), torch.inf)
    low = torch.cat([torch.where(use[..., None], values, torch.inf), empty], 1).amin(1)
    high = torch.cat([torch.where(use[..., None], values, -torch.inf), -empty], 1).amax(1)
    return low, high

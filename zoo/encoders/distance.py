"""Euclidean distances to the nearest click or stroke."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from zoo.encoders.base import InteractionEncoder
from zoo.encoders.nearest import squared_to_clicks
from zoo.errors import ConfigError
from zoo.interactions import Interactions
from zoo.ops.distance import distance_to


class DistanceEncoder(InteractionEncoder):
    """A function of the distance to the nearest interaction; one channel a sign.

    Distances are in pixels, from pixel centres to the exact place of a click, which may lie outside the image, and to
    the centres of stroke pixels.
    """

    out_channels = 2

    def __init__(self) -> None:
        super().__init__()
        # One image's strokes of each sign and their distances: a turn in a session seldom adds to both signs.
        self._last: dict[int, tuple[Tensor, Tensor]] = {}
        # Its clicks of each sign and their distances, as they are and mirrored: a turn adds to them.
        self._clicks: dict[int, list[tuple[Tensor, Tensor]]] = {}

    @abstractmethod
    def value(self, distance: Tensor) -> Tensor:
        """The guidance at distances (B, 2, H, W); infinite where there is no interaction of that sign."""

    def forward(self, interactions: Interactions, image: Tensor) -> Tensor:
        """(B, 2, H, W) float32: positive, negative."""
        return self.value(torch.stack([self._to_nearest(interactions, label) for label in (1, 0)], 1))

    def in_graph(self, said: Tensor, image: Tensor) -> Tensor:
        """The same of clicks."""
        return self.value(squared_to_clicks(said, image).sqrt())

    def _to_nearest(self, interactions: Interactions, label: int) -> Tensor:
        """(B, H, W) float32 distance to the nearest click or stroke of a label, inf where there is none."""
        wanted = interactions.points[..., 2] == label
        if interactions.strokes is None:
            return self._to_click(interactions, wanted, label)
        distance = self._to_stroke(interactions.strokes[:, 1 - label], label)
        if not bool(wanted.any()):
            return distance
        return torch.minimum(distance, self._to_click(interactions, wanted, label))

    def _to_click(self, interactions: Interactions, wanted: Tensor, label: int) -> Tensor:
        """(B, H, W) float32 distance to the nearest of the clicks in `wanted` (B, N), inf where there is none."""
        if len(interactions) != 1:
            # The sample's clicks of this label first, then clicks at infinity: fewer rounds.
            most = int(wanted.sum(1).max()) if wanted.numel() else 0
            order = (~wanted).long().argsort(dim=1, stable=True)[:, :most, None].expand(-1, -1, 2)
            xy = interactions.points[..., :2].masked_fill(~wanted[..., None], torch.inf).gather(1, order)
            return _nearer(None, xy, interactions.size).sqrt_()
        xy, kept = interactions.points[..., :2][wanted], self._clicks.setdefault(label, [])
        known = [each for each in kept if _begins(xy, each[0]) and each[1].shape[1:] == interactions.size]
        clicks, before = max(known, key=lambda each: len(each[0])) if known else (xy[:0], None)
        squared = _nearer(before, xy[None, len(clicks) :], interactions.size)
        self._clicks[label] = [(xy, squared), *(each for each in kept if each[0] is not clicks)][:2]
        return squared.sqrt()

    def _to_stroke(self, strokes: Tensor, label: int) -> Tensor:
        """(B, H, W) float32 distance to the nearest pixel of strokes (B, H, W) bool, inf where there is none."""
        if len(strokes) > 1:
            return distance_to(strokes)
        last = self._last.get(label)
        if last is None or last[0].device != strokes.device or not torch.equal(last[0], strokes):
            last = self._last[label] = (strokes.clone(), distance_to(strokes))
        return last[1]


class TruncatedDistance(DistanceEncoder):
    """`min(d, limit) / unit` (iFCN, Xu et al. 2016, section 3.1: limit 255); that of `limit` where there is nothing.

    Args:
        limit: in pixels.
        unit: the distance that counts as 1, in pixels.
    """

    def __init__(self, limit: float = 255.0, unit: float = 1.0) -> None:
        super().__init__()
        self.limit, self.unit = positive_pixels("limit", limit), positive_pixels("unit", unit)

    def value(self, distance: Tensor) -> Tensor:
        """In 0..limit / unit; 0 at a click."""
        return distance.clamp(max=self.limit) / self.unit


class InverseDistance(DistanceEncoder):
    """`1 - min(d, limit) / limit` (BRS, Jang and Kim 2019; DeepScribble); 0 where there is nothing.

    Args:
        limit: in pixels.
    """

    def __init__(self, limit: float = 255.0) -> None:
        super().__init__()
        self.limit = positive_pixels("limit", limit)

    def value(self, distance: Tensor) -> Tensor:
        """In 0..1; 1 at a click."""
        return 1 - distance.clamp(max=self.limit) / self.limit


class TanhDistance(DistanceEncoder):
    """`tanh(2 d / r)` (f-BRS, Sofiiuk et al. 2020, released code); 1 where there is nothing.

    Args:
        r: in pixels.
    """

    def __init__(self, r: float = 260.0) -> None:
        super().__init__()
        self.r = positive_pixels("r", r)

    def value(self, distance: Tensor) -> Tensor:
        """In 0..1; 0 at a click."""
        return torch.tanh(distance * (2 / self.r))


def _begins(xy: Tensor, clicks: Tensor) -> bool:
    """Whether places (N, 2) begin with these (K, 2)."""
    same = xy.device == clicks.device and len(clicks) <= len(xy)
    return same and torch.equal(xy[: len(clicks)], clicks)


def _nearer(before: Tensor | None, xy: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, H, W) float32 squared distance to the nearest of clicks (B, K, 2), or what was before where that is less."""
    height, width = size
    if before is None:
        squared = xy.new_full((len(xy), height, width), torch.inf)
    else:
        squared = before.clone()
    across = (torch.arange(width, device=xy.device) + 0.5 - xy[..., :1]).square()
    down = (torch.arange(height, device=xy.device) + 0.5 - xy[..., 1:]).square()
    # One map at a time in memory, and one sample after the other on the CPU, where a map then stays in the cache.
    parts = range(len(squared)) if xy.device.type == "cpu" else [slice(None)]
    for part in parts:
        here = torch.empty_like(squared[part])
        for k in range(xy.shape[1]):
            torch.add(across[part, ..., k, None, :], down[part, ..., k, :, None], out=here)
            torch.minimum(squared[part], here, out=squared[part])
    return squared


def positive_pixels(name: str, value: float) -> float:
    """`value` as a float; an error when it is not above 0."""
    if not value > 0:
        raise ConfigError(f"{name}={value} must be a positive number of pixels")
    return float(value)

"""What happened when an image was segmented at two magnifications, and the tiles of one alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor

from zoo.evaluation.closest import Nearest
from zoo.interactions import Interactions
from zoo.ops.frame import Slices

Why = Literal["detail", "small", "tile"]


@dataclass
class Look:
    """A part of the high image that was segmented.

    Attributes:
        turn: the click at the low magnification after which it was opened, 1 for the first; 0 without any.
        why: `detail`: clicks near each other and a mask that is good; `small`: clicks very near each other; `tile`: the
            high magnification alone.
        place: its rows and columns in the high image.
        box: x0, y0, x1, y1 in pixels of the low image.
        near: the two clicks; None of a tile.
        quality: IoU of the low mask when it was opened; None of a tile.
        clicks: x, y, label in its own pixels.
        ious: of its mask with its part of the target: at the beginning and after each click.
    """

    turn: int
    why: Why
    place: Slices
    box: tuple[float, float, float, float]
    near: Nearest | None = None
    quality: float | None = None
    clicks: list[tuple[float, float, int]] = field(default_factory=list)
    ious: list[float] = field(default_factory=list)

    def trace(self) -> dict[str, Any]:
        """As JSON."""
        seen: dict[str, Any] = {"turn": self.turn, "why": self.why, "box": list(self.box)}
        if self.near is not None:
            seen |= {"pair": list(self.near.pair), "distance": self.near.distance, "iou": self.quality}
            seen["centre"] = [self.near.x, self.near.y]
        return seen | {"clicks": [list(click) for click in self.clicks], "ious": self.ious}


@dataclass
class Zoomed:
    """What happened on one image.

    Attributes:
        sample_id: of the sample.
        image_id: of its image.
        factor: what the distances were multiplied with.
        size: height and width at the high magnification.
        initial: IoU at the high magnification before the first click.
        ious: the same after each click, wherever it was made.
        seconds: of each.
        said: x, y, label of each, in pixels of the high image.
        low_ious: IoU at the low magnification after each click there.
        looks: in order.
        mask: (1, 1, H, W) bool at the high magnification.
        pixels: (1, 3) of `overlap_pixels`.
    """

    sample_id: int
    image_id: int
    factor: float
    size: tuple[int, int]
    initial: float = 0.0
    ious: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    said: list[tuple[float, float, int]] = field(default_factory=list)
    low_ious: list[float] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    mask: Tensor = field(default_factory=lambda: torch.zeros(1, 1, 0, 0, dtype=torch.bool))
    pixels: Tensor = field(default_factory=lambda: torch.zeros(1, 3))

    @property
    def interactions(self) -> Interactions:
        """All clicks in pixels of the high image, one a turn."""
        rows = [(x, y, float(label), float(turn)) for turn, (x, y, label) in enumerate(self.said)]
        return Interactions.of(torch.tensor(rows, dtype=torch.float32).reshape(1, -1, 4), self.size)

    @property
    def trace(self) -> dict[str, Any]:
        """What a record's trace says beside its clicks."""
        about = {"distances_times": self.factor, "low_ious": self.low_ious, "low_clicks": len(self.low_ious)}
        return about | {"zooms": [look.trace() for look in self.looks]}


def tiles(size: tuple[int, int], side: int) -> list[Slices]:
    """The fewest equal tiles of at most `side` x `side` pixels that cover an image, row by row; sides differ by 1."""
    cuts = []
    for length in size:
        count = -(-length // side)
        edges = [round(k * length / count) for k in range(count + 1)]
        cuts.append([slice(a, b) for a, b in pairwise(edges)])
    return [(rows, columns) for rows in cuts[0] for columns in cuts[1]]

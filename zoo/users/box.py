"""A box around the target."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.errors import ConfigError
from zoo.interactions import PADDING, Interactions
from zoo.ops.draws import Draw
from zoo.users.base import SimulatedUser, Truth
from zoo.users.draws import draws


class BoxAround(SimulatedUser):
    """The smallest box around the target, whatever the prediction.

    Args:
        jitter: each edge is moved by up to this share of the box's width or height both ways, uniformly, within the
            image; in another turn by another.
    """

    gives = "box"

    def __init__(self, jitter: float = 0.0) -> None:
        if not 0 <= jitter < 0.5:
            raise ConfigError(f"jitter={jitter} must be 0 or more and less than half a box, e.g. 0.1")
        self.jitter = jitter

    def beyond(self, extent: float) -> float:
        """As far as an edge may be moved."""
        return self.jitter * extent

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """One box a sample; padding where the target has no pixel."""
        target = truth.target[:, 0] if truth.ignore is None else (truth.target & ~truth.ignore)[:, 0]
        some = target.flatten(1).any(1)
        edges = []
        for axis in (1, 2):
            along = target.any(axis)
            place = torch.arange(along.shape[1], device=target.device)
            low = torch.where(along, place, along.shape[1]).amin(1)
            high = torch.where(along, place + 1, 0).amax(1)
            edges.append((low, high))
        (x0, x1), (y0, y1) = edges
        box = torch.stack([x0, y0, x1, y1], 1).float()
        extent = torch.stack([x1 - x0, y1 - y0], 1).repeat(1, 2)
        move = (draws(truth, turn, Draw.BOX_EDGE, 4) * 2 - 1) * self.jitter * extent
        limit = box.new_tensor(truth.size[::-1]).repeat(2)
        box = torch.minimum((box + move.float()).clamp(min=0), limit)
        when = torch.where(some, float(turn), PADDING)
        box = torch.where(some[:, None], box, 0.0)
        points = torch.zeros(len(truth), 0, 4, device=target.device)
        return Interactions.of(points, truth.size, boxes=torch.cat([box, when[:, None]], 1)[:, None])

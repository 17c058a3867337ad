"""Exclusion clicks: where the other objects are."""

import torch
from torch import Tensor

from zoo.interactions import PADDING, Interactions
from zoo.ops.random import uniform
from zoo.users.base import SimulatedUser, Truth

RATE_DRAW, DROP_DRAW, X_DRAW, Y_DRAW = 11, 12, 13, 14


class OtherObjects(SimulatedUser):
    """A negative click at the centroid of every other object's visible part (NuClick's exclusion map).

    Args:
        drop: each click is left out with a probability drawn per sample from U(drop[0], drop[1]).
        jitter: the others are moved by up to this many pixels both ways, uniformly, and stay in the image.
    """

    def __init__(self, drop: tuple[float, float] = (0.0, 0.0), jitter: float = 0.0) -> None:
        self.drop = drop
        self.jitter = jitter

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """Negative clicks, padded to the largest number of other objects in the batch."""
        count, (height, width) = len(truth), truth.size
        device = truth.target.device
        if truth.instances is None or not bool(truth.others.any()):
            return Interactions.empty(count, truth.size, device)
        sample, _, row, column = truth.others.nonzero(as_tuple=True)
        keys = torch.stack([sample, truth.instances[sample, 0, row, column]], 1)
        objects, member = torch.unique(keys, dim=0, return_inverse=True)
        area = torch.bincount(member).double()
        x = torch.bincount(member, column.double()) / area + 0.5
        y = torch.bincount(member, row.double()) / area + 0.5

        owner = objects[:, 0].contiguous()
        rank = torch.arange(len(owner), device=device) - torch.searchsorted(owner, owner)
        step = torch.zeros_like(owner) if truth.step is None else truth.step[owner]
        ids = truth.sample_id[owner]
        # Ids of objects are arbitrary; their rank within the sample keeps the draws independent of the batch.
        here = ids * 65_537 + rank
        rate = self.drop[0] + (self.drop[1] - self.drop[0]) * uniform(ids, step, turn, RATE_DRAW)
        kept = uniform(here, step, turn, DROP_DRAW) >= rate
        x = (x + (uniform(here, step, turn, X_DRAW) * 2 - 1) * self.jitter).clamp(0.5, width - 0.5)
        y = (y + (uniform(here, step, turn, Y_DRAW) * 2 - 1) * self.jitter).clamp(0.5, height - 0.5)

        out = torch.zeros(3, count, int(rank.max()) + 1, dtype=torch.float64, device=device)
        out[2] = PADDING
        out[:, owner, rank] = torch.stack([x, y, torch.where(kept, 0.0, PADDING).double()])
        return Interactions.clicks(out[0], out[1], out[2], turn, truth.size)

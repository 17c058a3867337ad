"""Negative clicks on the other objects."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.errors import ConfigError
from zoo.interactions import PADDING, Interactions
from zoo.ops.draws import Draw
from zoo.users.base import SimulatedUser, Truth
from zoo.users.draws import draw


class OtherObjects(SimulatedUser):
    """A negative click at the centroid of every other object in sight (NuClick's exclusion, section III.A).

    A centroid is that of the object's visible part, at the centre of its pixel; clicks are ordered by object id.

    Args:
        drop: each click is left out with probability p, drawn for each sample from U(drop[0], drop[1]).
        jitter: each click is moved by up to this many whole pixels both ways, within the image.
    """

    def __init__(self, drop: tuple[float, float] = (0.0, 0.0), jitter: int = 0) -> None:
        if not 0 <= drop[0] <= drop[1] <= 1:
            raise ConfigError(f"drop={tuple(drop)} must be two rising probabilities, e.g. [0.0, 0.5]")
        if jitter < 0:
            raise ConfigError(f"jitter={jitter} must be 0 or more pixels")
        self.drop = (drop[0], drop[1])
        self.jitter = jitter

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """As many columns as the sample with most objects has; no columns without an instance map."""
        batch, (height, width) = len(truth), truth.size
        if truth.instances is None:
            return Interactions.empty(batch, truth.size, truth.target.device)
        sample, row, column = truth.others[:, 0].nonzero(as_tuple=True)
        labels = truth.instances[:, 0][sample, row, column]
        span = labels.max() + 1 if len(labels) else 1
        keys, member = torch.unique(sample * span + labels, return_inverse=True)
        owner, item = keys // span, keys % span
        area = member.bincount(minlength=len(keys))
        # Sums of whole numbers are exact in float64, whatever their order.
        x, y = (member.bincount(v.double(), len(keys)) / area for v in (column + 0.5, row + 0.5))

        low, high = self.drop
        rate = low + (high - low) * draw(truth, turn, Draw.DROP_RATE)
        kept = draw(truth, turn, Draw.DROP, item, owner) >= rate[owner]
        reach = 2 * self.jitter + 1
        x = x + (draw(truth, turn, Draw.SHIFT_X, item, owner) * reach).floor() - self.jitter
        y = y + (draw(truth, turn, Draw.SHIFT_Y, item, owner) * reach).floor() - self.jitter

        count = owner.bincount(minlength=batch)
        rank = torch.arange(len(keys), device=keys.device) - (count.cumsum(0) - count)[owner]
        clicks = x.new_zeros(3, batch, int(count.max()) if batch else 0)
        clicks[2] = PADDING
        clicks[0, owner, rank] = x.floor().clamp(0, width - 1) + 0.5
        clicks[1, owner, rank] = y.floor().clamp(0, height - 1) + 0.5
        clicks[2, owner, rank] = torch.where(kept, 0.0, PADDING).double()
        return Interactions.clicks(clicks[0], clicks[1], clicks[2], turn, truth.size)

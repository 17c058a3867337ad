"""One of several users a sample."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from zoo.errors import ConfigError
from zoo.interactions import Interactions
from zoo.ops.draws import Draw
from zoo.users.base import SimulatedUser, Truth
from zoo.users.compose import UsersTogether
from zoo.users.draws import draw


class OneOf(UsersTogether):
    """In each turn one of the users speaks to a sample, drawn for it, so that a network learns from all of them.

    Args:
        users: at least one.
        weights: how often each is drawn, in proportion; None: all equally often.
    """

    def __init__(self, users: Sequence[SimulatedUser], weights: Sequence[float] | None = None) -> None:
        super().__init__(users)
        self.weights = [1.0] * len(self.users) if weights is None else [float(weight) for weight in weights]
        if len(self.weights) != len(self.users) or min(self.weights) < 0 or sum(self.weights) <= 0:
            raise ConfigError(f"weights={weights} must be a number of 0 or more for each of {len(self.users)} users")

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """What each sample's user says."""
        limits = torch.tensor(self.weights, dtype=torch.float64, device=truth.target.device).cumsum(0)
        u = draw(truth, turn, Draw.WHO) * limits[-1]
        chosen = (u[:, None] >= limits[:-1]).sum(1)
        out = Interactions.empty(len(truth), truth.size, truth.target.device)
        for number, user in enumerate(self.users):
            who = (chosen == number).nonzero()[:, 0]
            if len(who):
                new = user(prediction[who], truth.select(who), so_far.select(who), turn)
                out = out.add(new.spread(who, len(truth)))
        return out

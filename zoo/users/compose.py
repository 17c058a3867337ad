"""Users made of users."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from zoo.errors import ConfigError
from zoo.interactions import Click, Interactions, Kind
from zoo.users.base import SimulatedUser, Truth


class UsersTogether(SimulatedUser):
    """A user that is made of others.

    Args:
        users: at least one.
    """

    def __init__(self, users: Sequence[SimulatedUser]) -> None:
        if not users:
            raise ConfigError(f"{type(self).__name__} was given no users; name at least one")
        self.users = list(users)

    @property
    def gives(self) -> Kind:  # type: ignore[override]
        """What the first of the users gives that doesn't click; else clicks."""
        return next((user.gives for user in self.users if user.gives != Click.kind), Click.kind)

    def beyond(self, extent: float) -> float:
        """The widest of all users'."""
        return max(user.beyond(extent) for user in self.users)


class Together(UsersTogether):
    """All users speak in the same turn.

    Args:
        users: at least one. Two of the same class say the same, since they draw the same random numbers.
    """

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """What each says, in the order of the users."""
        first, *rest = (user(prediction, truth, so_far, turn) for user in self.users)
        for new in rest:
            first = first.add(new)
        return first


class Turns(UsersTogether):
    """One user a turn: the first speaks in turn 0, the second in turn 1; the last goes on.

    Args:
        users: at least one.
    """

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """What this turn's user says."""
        return self.users[min(turn, len(self.users) - 1)](prediction, truth, so_far, turn)


class IfEmpty(UsersTogether):
    """One user for samples whose mask is empty, another for those that have one, which may be corrected.

    Args:
        users: the two, in this order.

    Raises:
        ConfigError: it is not two.
    """

    def __init__(self, users: Sequence[SimulatedUser]) -> None:
        super().__init__(users)
        if len(self.users) != 2:
            raise ConfigError(f"IfEmpty was given {len(self.users)} users; name two: for an empty mask, and for others")

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """What each sample's user says."""
        full = prediction.flatten(1).any(1)
        out = Interactions.empty(len(truth), truth.size, truth.target.device)
        for user, who in zip(self.users, (~full, full), strict=True):
            index = who.nonzero()[:, 0]
            if len(index):
                new = user(prediction[index], truth.select(index), so_far.select(index), turn)
                out = out.add(new.spread(index, len(truth)))
        return out

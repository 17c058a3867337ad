"""Users made of users."""

from collections.abc import Sequence

from torch import Tensor

from zoo.interactions import Interactions
from zoo.users.base import SimulatedUser, Truth


class Together(SimulatedUser):
    """All of them speak in the same turn.

    Args:
        users: in this order.
    """

    def __init__(self, users: Sequence[SimulatedUser]) -> None:
        self.users = list(users)

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """What all of them say."""
        said = Interactions.empty(len(truth), truth.size, truth.target.device)
        for user in self.users:
            said = said.add(user(prediction, truth, so_far, turn))
        return said


class Turns(SimulatedUser):
    """One user a turn; the last one has all further turns.

    Args:
        users: the user of turn 0, of turn 1 ...
    """

    def __init__(self, users: Sequence[SimulatedUser]) -> None:
        self.users = list(users)

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """What the turn's user says."""
        return self.users[min(turn, len(self.users) - 1)](prediction, truth, so_far, turn)

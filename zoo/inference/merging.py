"""Corrections that stay where they were made."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.errors import ConfigError
from zoo.inference.engine import Engine, State
from zoo.interactions import Interactions
from zoo.ops.components import reconstruct
from zoo.ops.distance import distance_to

INNER = "inner."


class MergingEngine(Engine):
    """Takes over from each turn of an engine only what was asked for.

    Of the pixels that a turn would add to the mask, those that are connected with a positive click or stroke and near
    to one are added; of those that it would remove, those connected with a negative one and near. Everything else stays
    as it is, so that a correction here spoils nothing elsewhere. Source: the progressive merge of FocalClick (Chen et
    al. 2022), which takes one region of all changed pixels; here what is added and what is removed are told apart, and
    a region ends where nobody was near.

    Args:
        engine: one whose first mask is worth keeping. It goes on from its own probability, not from what is merged.
        within: how far from what was said pixels change, in the engine's pixels.

    Raises:
        ConfigError: `within` is no distance.
    """

    def __init__(self, engine: Engine, within: float) -> None:
        if not within > 0:
            raise ConfigError(f"merge={within} must be above 0, the pixels within which a correction works")
        self.engine, self.within = engine, within
        self.resemble(engine)

    def start(self, image: Tensor, mask: Tensor | None = None) -> State:
        """The engine's state, and its probability as the first merged one."""
        return _joined(self.engine.start(image, mask))

    def prepare(self, image: Tensor) -> None:
        """As the engine does."""
        self.engine.prepare(image)

    def step(self, image: Tensor, interactions: Interactions, state: State) -> State:
        """The engine's step, merged into what was there."""
        inner = {name.removeprefix(INNER): value for name, value in state.items() if name.startswith(INNER)}
        after = self.engine.step(image, interactions, inner)
        before, now = self.mask(state, interactions)[:, 0], self.engine.mask(after, interactions)[:, 0]
        asked = self._asked(interactions.pixels(1), now & ~before)
        asked |= self._asked(interactions.pixels(0), before & ~now)
        return _joined(after) | {"probability": torch.where(asked[:, None], after["probability"], state["probability"])}

    def mask(self, state: State, interactions: Interactions) -> Tensor:
        """The engine's, of the merged probability."""
        return self.engine.mask(state, interactions)

    def _asked(self, said: Tensor, changed: Tensor) -> Tensor:
        """(B, H, W) bool: what of the changed pixels is connected with what was said, and near it."""
        return reconstruct(said, changed & (distance_to(said) <= self.within))


def _joined(inner: State) -> State:
    return {INNER + name: value for name, value in inner.items()} | {"probability": inner["probability"]}

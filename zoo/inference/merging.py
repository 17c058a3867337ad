"""Corrections that stay where they were made."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.errors import ConfigError
from zoo.inference.change import Edit, differing
from zoo.inference.engine import Change, Engine, State
from zoo.inference.layered import Layered
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
        engine: one whose first mask is worth keeping, and whose pixels are decided each by itself (`reach`). It goes on
            from its own probability, not from what is merged.
        within: how far from what was said pixels change, in the engine's pixels.

    Raises:
        ConfigError: `within` is no distance, or the engine's mask looks beyond single pixels.
    """

    def __init__(self, engine: Engine, within: float) -> None:
        if not within > 0:
            raise ConfigError(f"merge={within} must be above 0, the pixels within which a correction works")
        if engine.reach != "pixel":
            raise ConfigError(
                f"merge={within} is for masks whose pixels are decided each by itself, but this method looks at more "
                f"of the image ({engine.reach}); leave `merge` out"
            )
        self.engine, self.within = engine, within
        self.resemble(engine)
        self.remembers = True

    def start(self, image: Tensor, mask: Tensor | None = None) -> State:
        """The engine's state, and its probability as the first merged one."""
        self.engine.progress = self.progress
        return _joined(self.engine.start(image, mask))

    def prepare(self, image: Tensor) -> None:
        """As the engine does."""
        self.engine.prepare(image)

    def step(self, image: Tensor, interactions: Interactions, state: State) -> State:
        """The engine's step, merged into what was there."""
        return self.change(image, interactions, state).applied(state)

    def change(self, image: Tensor, interactions: Interactions, state: State) -> Change:
        """The boxes that the engine changes; what is merged is looked for in each of them."""
        inner = {name.removeprefix(INNER): value for name, value in state.items() if name.startswith(INNER)}
        change = self.engine.change(image, interactions, inner)
        if "probability" in change.values:
            change = Change.between(inner, change.applied(inner))
        said = [interactions.pixels(label) for label in (0, 1)]
        edits = {INNER + name: some for name, some in change.edits.items()}
        found = change.edits.get("probability", ())
        if (layered := change.values.get("probability")) is not None:
            found = differing(inner["probability"], layered)
        edits["probability"] = tuple(self._merged(edit, state["probability"], said, interactions) for edit in found)
        return Change({INNER + name: value for name, value in change.values.items()}, edits)

    def _merged(self, edit: Edit, before: Tensor, said: list[Tensor], interactions: Interactions) -> Edit:
        """A box of the engine's probability in which only what was asked for differs from before."""
        old = before[edit.index]
        was, now = (self.engine.mask({"probability": values[None]}, interactions)[0] for values in (old, edit.values))
        rows, columns = edit.place
        off, on = (each[edit.sample, rows, columns][None] for each in said)
        asked = self._asked(on, now & ~was) | self._asked(off, was & ~now)
        return Edit(edit.sample, edit.place, torch.where(asked, edit.values, old))

    def mask(self, state: State, interactions: Interactions) -> Tensor:
        """The engine's, of the merged probability."""
        return self.engine.mask(state, interactions)

    def _asked(self, said: Tensor, changed: Tensor) -> Tensor:
        """(B, H, W) bool: what of the changed pixels is connected with what was said, and near it."""
        return reconstruct(said, changed & (distance_to(said) <= self.within))


def _joined(inner: State) -> State:
    probability = inner["probability"]
    # What is merged changes in boxes, which a map in layers can't.
    merged = probability.whole() if isinstance(probability, Layered) else probability
    return {INNER + name: value for name, value in inner.items()} | {"probability": merged}

"""The mask of a session, of which a turn computes only what it can have changed."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.inference.bounds import positive_bounds
from zoo.inference.change import Change, Edit, Edits, differing, overwrite, selected
from zoo.inference.engine import Engine, State
from zoo.inference.layered import Layered
from zoo.inference.network_engine import COLUMNS, ROWS
from zoo.interactions import Interactions
from zoo.ops.frame import Frame, Slices
from zoo.ops.places import holds
from zoo.ops.rows import ends

TOUCH = 2
"""Pixels beyond a box that bilinear interpolation sees, and one for rounding."""


@dataclass(frozen=True)
class Before:
    """What brings back the mask before a turn: edits in the engine's pixels and in the image's, and `place`."""

    working: Edits
    given: Edits
    place: Slices | None

    def select(self, index: Tensor) -> Before:
        """That of the samples in `index` (integers)."""
        return Before(selected(self.working, index), selected(self.given, index), self.place)


class KeptMask:
    """The mask that `Engine.mask` gives of the whole state, kept up to date.

    Args:
        engine: whose mask; its `reach` says of what it has to be computed again.
        state: the first one.
        said: what was said before, in the pixels the engine works in.
        frame: from the image to these; None: they are the same.
        size: height and width of the image.

    Attributes:
        given: (B, 1, H, W) bool, in the image's pixels; changed in place.
    """

    def __init__(
        self, engine: Engine, state: State, said: Interactions, frame: Frame | None, size: tuple[int, int]
    ) -> None:
        self.engine = engine
        self.back = None if frame is None else frame.inverse(size)
        self.place: Slices | None = None
        self.reach = engine.reach
        if self.reach == "pixel" and ROWS in state and isinstance(state["probability"], Layered):
            self.reach = "objects"  # which holds all that is above the threshold: nobody reads the rest
        if self.reach == "objects" and ROWS not in state:
            self.reach = "image"
        if self.reach == "objects":
            mask = torch.zeros(state["probability"].shape, dtype=torch.bool, device=state["probability"].device)
            overwrite(mask, self._objects(state, said))
        else:
            mask = engine.mask(state, said).clone()
        # Floats where they are resampled: to convert the whole mask in each turn would cost what is saved.
        self.working = mask if self.back is None else mask.float()
        self.given = self.working if self.back is None else self.back.crop(self.working) > 0.5

    def follow(self, change: Change, state: State, said: Interactions) -> Before:
        """Take the turn that made a change, after which the state and everything said are these."""
        place = self.place
        if self.reach == "objects":
            edits = self._objects(state, said)
        elif self.reach == "pixel" and "probability" not in change.values:
            edits = tuple(self._alone(edit, said) for edit in change.edits.get("probability", ()))
        else:
            edits = differing(self.working, self.engine.mask(state, said).to(self.working.dtype))
        before = overwrite(self.working, edits)
        return Before(before, () if self.back is None else self._resample(edits), place)

    def restore(self, before: Before) -> None:
        """Return to the mask before a turn."""
        overwrite(self.working, before.working)
        self.place = before.place
        if self.back is not None:
            overwrite(self.given, before.given)

    def select(self, index: Tensor) -> None:
        """Keep only the samples in `index` (integers)."""
        same = self.given is self.working
        self.working = self.working[index]
        self.given = self.working if same else self.given[index]
        self.back = None if self.back is None else self.back.select(index)

    def copied(self) -> KeptMask:
        """One that changes by itself."""
        other = copy.copy(self)
        other.working = self.working.clone()
        other.given = other.working if self.given is self.working else self.given.clone()
        return other

    def _alone(self, edit: Edit, said: Interactions) -> Edit:
        mask = self.engine.mask({"probability": edit.values[None]}, said)
        return Edit(edit.sample, edit.place, mask[0])

    def _objects(self, state: State, said: Interactions) -> Edits:
        """False where objects were, and the mask of a box that holds all there are now, of any sample."""
        old, new = self.place, _around(state, said)
        self.place = new
        probability = state["probability"]
        edits: list[Edit] = []
        if old is not None and (new is None or not holds(new, old)):
            nothing = probability.new_zeros(1, *(axis.stop - axis.start for axis in old), dtype=torch.bool)
            edits += [Edit(i, old, nothing) for i in range(len(probability))]
        if new is not None:
            size = (new[0].stop - new[0].start, new[1].stop - new[1].start)
            origin = [torch.full((len(said),), axis.start, dtype=torch.float64, device=said.device) for axis in new]
            here = said.through(Frame(origin[1], origin[0], torch.ones_like(origin[0]), size))
            mask = self.engine.mask({"probability": probability[..., *new]}, here)
            edits += [Edit(i, new, each) for i, each in enumerate(mask)]
        return tuple(edits)

    def _resample(self, edits: Edits) -> Edits:
        """What these edits change in the image's pixels."""
        assert self.back is not None
        before: list[Edit] = []
        for edit in edits:
            place = self._reached(edit)
            if place is None:
                continue
            index = torch.tensor([edit.sample], device=self.working.device)
            one = self.working[edit.sample : edit.sample + 1]
            values = self.back.select(index).crop(one, part=place) > 0.5
            before += overwrite(self.given, [Edit(edit.sample, place, values[0])])
        return tuple(reversed(before))

    def _reached(self, edit: Edit) -> Slices | None:
        """Rows and columns of the image whose mask may depend on a box of the engine's pixels."""
        assert self.back is not None
        scale = float(self.back.scale[edit.sample])
        found = []
        starts = (float(self.back.y0[edit.sample]), float(self.back.x0[edit.sample]))
        for axis, start, length in zip(edit.place, starts, self.given.shape[-2:], strict=True):
            # The image's pixel i covers the engine's start + i / scale to start + (i + 1) / scale.
            low = int((axis.start - TOUCH - start) * scale // 1) - 1
            high = int((axis.stop + TOUCH - start) * scale // 1) + 2
            found.append(slice(max(low, 0), min(high, length)))
        return (found[0], found[1]) if all(axis.start < axis.stop for axis in found) else None


def _around(state: State, said: Interactions) -> Slices | None:
    """A box that holds all samples' pixels above the threshold and positive ones, with a pixel around, in the image."""
    above = [ends(state[name].any(0)) for name in (ROWS, COLUMNS)]
    bounds = positive_bounds(said)
    low, high = bounds[:, :2].amin(0).tolist(), bounds[:, 2:].amax(0).tolist()
    found = []
    for k, length in enumerate(said.size):
        starts, stops = [low[1 - k]], [high[1 - k]]
        if above[k][0] < above[k][1]:
            starts.append(above[k][0])
            stops.append(above[k][1])
        first, last = min(starts), max(stops)
        if last <= first:
            return None
        found.append(slice(max(int(first) - 1, 0), min(int(last) + 1, length)))
    return found[0], found[1]

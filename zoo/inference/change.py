"""What a turn changes in a state: boxes of what is as large as the image, and small tensors as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from zoo.inference.layered import Layered
from zoo.ops.rows import box_in

State = dict[str, Tensor]
"""Tensors with leading dimension B; at least `probability` (B, 1, H, W) float32 in image pixels."""


@dataclass(frozen=True)
class Edit:
    """New values of a box of one sample's part of a tensor.

    Attributes:
        sample: whose.
        place: along the tensor's last dimensions.
        values: as large as the box, with the dimensions before these.
    """

    sample: int
    place: tuple[slice, ...]
    values: Tensor

    @property
    def index(self) -> tuple[Any, ...]:
        """Of its box in the tensor."""
        return self.sample, ..., *self.place


Edits = tuple[Edit, ...]


def write(tensor: Tensor, edits: Iterable[Edit]) -> None:
    """Change a tensor in place, one edit after the other."""
    for edit in edits:
        tensor[edit.index] = edit.values.to(tensor.dtype)


def overwrite(tensor: Tensor, edits: Iterable[Edit]) -> Edits:
    """Change a tensor in place. Returns the edits that bring back what was there."""
    before: list[Edit] = []
    for edit in edits:
        before.append(replace(edit, values=tensor[edit.index].clone()))
        write(tensor, [edit])
    return tuple(reversed(before))


def differing(before: Tensor, after: Tensor) -> Edits:
    """For each sample of (B, C, H, W) the box of all pixels that differ, as it is `after`; none where all agree."""
    found = []
    for i, differs in enumerate(before != after):
        place = box_in(differs)
        if place is not None:
            found.append(Edit(i, place, after[i, :, *place].clone()))
    return tuple(found)


@dataclass(frozen=True)
class Change:
    """From one state to the next.

    Attributes:
        values: tensors that take the place of others of the same name.
        edits: boxes that change in others. Where two names have the same edits, these are one object.
    """

    values: State
    edits: dict[str, Edits]

    @classmethod
    def between(cls, before: State, after: State) -> Change:
        """Found by comparing all pixels; maps that are kept in layers are taken as they are."""
        size = after["probability"].shape[-2:]
        changed = {name: value for name, value in after.items() if value is not before[name]}
        large = [
            name
            for name, value in changed.items()
            if value.ndim == 4
            and value.shape[-2:] == size
            and not isinstance(value, Layered)
            and not isinstance(before[name], Layered)
        ]
        known: dict[tuple[int, int], Edits] = {}
        edits = {}
        for name in large:
            key = (id(before[name]), id(after[name]))
            if key not in known:
                known[key] = differing(before[name], after[name])
            edits[name] = known[key]
        return cls({name: value for name, value in changed.items() if name not in edits}, edits)

    @classmethod
    def joined(cls, parts: Sequence[tuple[Tensor, Change]], state: State) -> Change:
        """What changes of the samples in an index (integers) each mean together for the batch whose state this is."""
        values: State = {}
        edits: dict[str, Edits] = {}
        for index, change in parts:
            for name, value in change.values.items():
                old = values.get(name, state[name])
                values[name] = old.index_copy(0, index, value.to(old.dtype))
        names = {name for _, change in parts for name in change.edits}
        numbers = [index.tolist() for index, _ in parts]
        known: dict[tuple[int, ...], Edits] = {}
        for name in names:
            each = [change.edits.get(name, ()) for _, change in parts]
            key = tuple(map(id, each))
            if key not in known:
                known[key] = tuple(
                    replace(edit, sample=number[edit.sample])
                    for number, some in zip(numbers, each, strict=True)
                    for edit in some
                )
            edits[name] = known[key]
        return cls(values, edits)

    def then(self, after: Change) -> Change:
        """Both as one: `after` is from the state that this leads to, whose edits are of the same names."""
        known: dict[tuple[int, int], Edits] = {}
        edits = {name: some for name, some in self.edits.items() if name not in after.values}
        for name, some in after.edits.items():
            before = self.edits.get(name, ())
            edits[name] = known.setdefault((id(before), id(some)), (*before, *some))
        return Change(self.values | after.values, edits)

    def applied(self, state: State) -> State:
        """The state after it; the one given stays."""
        out = state | self.values
        known: dict[tuple[int, int], Tensor] = {}
        for name, edits in self.edits.items():
            key = (id(state[name]), id(edits))
            if key not in known:
                known[key] = state[name].clone()
                write(known[key], edits)
            out[name] = known[key]
        return out

    def exchanged(self, state: State) -> Change:
        """Change a state in place that nobody else holds. Returns what brings back the one before."""
        values = {name: state[name] for name in self.values}
        state.update(self.values)
        known: dict[tuple[int, int], Edits] = {}
        edits = {}
        for name, some in self.edits.items():
            tensor = state[name]
            if any(value is tensor and self.edits.get(other) is not some for other, value in state.items()):
                state[name] = tensor = tensor.clone()
            key = (id(tensor), id(some))
            if key not in known:
                known[key] = overwrite(tensor, some)
            edits[name] = known[key]
        return Change(values, edits)

    def select(self, index: Tensor) -> Change:
        """That of the samples in `index` (integers, each once)."""
        known = {id(some): selected(some, index) for some in self.edits.values()}
        return Change(
            {name: value[index] for name, value in self.values.items()},
            {name: known[id(some)] for name, some in self.edits.items()},
        )


def selected(edits: Edits, index: Tensor) -> Edits:
    """Those of the samples in `index`, which become 0, 1, ..."""
    place = {sample: number for number, sample in enumerate(index.tolist())}
    return tuple(replace(edit, sample=place[edit.sample]) for edit in edits if edit.sample in place)


def owned(state: State) -> State:
    """A copy that may be changed in place; names that share a tensor share the copy's."""
    copies = {id(value): value.clone(memory_format=torch.contiguous_format) for value in state.values()}
    return {name: copies[id(value)] for name, value in state.items()}

"""People, as they were recorded."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
from torch import Tensor

from zoo.errors import ConfigError, InteractionError
from zoo.interactions import Click, Interaction, Interactions, Kind, read_json
from zoo.interactions.wire import parse
from zoo.users.base import SimulatedUser, Truth


class Recorded(SimulatedUser):
    """Says what a person said of each sample, turn by turn, whatever the prediction; then it is silent.

    A person reacted to the predictions of one method. Given to another one, the first turn is as good a measure as
    ever, and later ones say how the method copes with corrections that were meant for somebody else's mistakes.

    Args:
        file: a store that `zoo annotate` exported, or that `zoo replay` made: what was said of its objects, for samples
            that are objects in whole images (`zoo.data.ObjectsInImages`) of that store alone, all of one split. Or JSON
            of `zoo.interactions.write_json`: one object a sample, in their order.
        split: whose objects the samples are, of a store.

    Raises:
        InteractionError: the file is missing, malformed, or holds nothing that was said.
    """

    def __init__(self, file: str, split: str = "test") -> None:
        self.file, self.split = file, split
        read = _of_store(Path(file), split) if Path(file).suffix in (".h5", ".hdf5") else read_json(file)
        if not any(read):
            raise InteractionError(f"{file}: nothing was said of objects of the split {split!r}; choose another one")
        self._said = [_in_turns(each) for each in read]

    def __repr__(self) -> str:
        return f"Recorded(file={self.file!r}, split={self.split!r})"

    @property
    def gives(self) -> Kind:  # type: ignore[override]
        """What was given, where it was not all clicks; else clicks."""
        every = (each.kind for turns in self._said for turn in turns for each in turn)
        return next((kind for kind in every if kind != Click.kind), Click.kind)

    @property
    def turns(self) -> int:
        """Of the sample with most of them."""
        return max(map(len, self._said))

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """What was said in this turn.

        Raises:
            ConfigError: there are more samples than were recorded.
        """
        samples = truth.sample_id.tolist()
        if samples and max(samples) >= len(self._said):
            raise ConfigError(
                f"{self.file}: {len(self._said)} objects were recorded, but there is a sample {max(samples)}; evaluate "
                "on the store that they were recorded on, with samples: zoo.data.ObjectsInImages"
            )
        new = [turns[turn] if turn < len(turns) else [] for turns in (self._said[sample] for sample in samples)]
        return Interactions.from_lists(new, truth.size, truth.target.device).at(turn)


def _of_store(path: Path, split: str) -> list[list[Interaction]]:
    """What was said of each object of a split, in the order of samples: by groups' names, items and ids."""
    if not path.is_file():
        raise InteractionError(f"{path}: no such file; export a store from the annotator")
    found: list[list[Interaction]] = []
    try:
        with h5py.File(path, "r", locking=False) as file:
            for name in sorted(file):
                if file[name].attrs["split"] != split:
                    continue
                content = json.loads(file[name]["interactions"].asstr()[()]) if "interactions" in file[name] else {}
                said = {each["id"]: list(map(parse, each["interactions"])) for each in content.get("objects", [])}
                found += [said.get(int(each["id"]), []) for each in file[name]["objects"][()]]
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InteractionError(f"{path}: holds no interactions that can be read ({error}); export it again") from None
    return found


def _in_turns(said: list[Interaction]) -> list[list[Interaction]]:
    """Turn by turn, without empty ones."""
    return [[each for each in said if each.turn == turn] for turn in sorted({each.turn for each in said})]

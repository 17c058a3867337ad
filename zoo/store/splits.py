"""No patient belongs to two splits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from zoo.errors import SplitError
from zoo.store.reader import Store
from zoo.store.schema import GroupInfo


def check_splits(stores: Sequence[Store]) -> None:
    """Raise SplitError when a patient is in two splits, or a slide where the store declares `split_unit: field`."""
    for conflict in split_conflicts((store, info) for store in stores for info in store.groups):
        raise SplitError(conflict)


def split_conflicts(groups: Iterable[tuple[Store, GroupInfo]]) -> Iterator[str]:
    """A message for every patient and split that the patient does not belong to.

    With `split_unit: field` the slide takes the patient's place: such stores name the field as their slide.
    """
    where: dict[tuple[str, str], tuple[str, Path]] = {}
    said: set[tuple[str, str, str]] = set()
    for store, info in groups:
        unit, name = ("field", info.slide) if store.info.split_unit == "field" else ("patient", info.patient)
        key = (store.info.dataset, name)
        split, path = where.setdefault(key, (info.split, store.path))
        if split != info.split and (*key, info.split) not in said:
            said.add((*key, info.split))
            yield (
                f"{unit} {name!r} is in {split!r} ({path}) and in {info.split!r} ({store.path}, group "
                f"{info.name!r}); a {unit} belongs to one split: prepare the data again"
            )

"""Whether stores are what they should be: every pixel read, every table counted again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from zoo.errors import StoreError, first_few
from zoo.store.reader import Store
from zoo.store.schema import (
    LABEL_DTYPE,
    LABELS,
    OBJECT_DTYPE,
    PARENT_DTYPE,
    SPLIT_UNITS,
    GroupInfo,
    object_table,
)
from zoo.store.splits import split_conflicts
from zoo.store.summary import SPLIT_ORDER


def problems(stores: Sequence[Store], advance: Callable[[int], None] = lambda images: None) -> Iterator[str]:
    """Everything that is wrong with stores that are used together, a message each; none when all is well.

    Args:
        stores: opened or not.
        advance: called with the number of images that were just read.
    """
    readable: list[tuple[Store, GroupInfo]] = []
    for store in stores:
        groups: list[GroupInfo] = []
        try:
            yield from _file(store)
            for name in store.names:
                try:
                    groups.append(store.group(name))
                except StoreError as error:
                    yield str(error)
            for group in groups:
                yield from _group(store, group, {group.name: group for group in groups}, advance)
        except StoreError as error:
            yield str(error)
        store.close()
        readable += [(store, group) for group in groups]
    yield from split_conflicts(readable)


def _file(store: Store) -> Iterator[str]:
    info = store.info
    if info.split_unit not in SPLIT_UNITS or info.labels not in LABELS:
        raise StoreError(
            f"{store.path}: split_unit={info.split_unit!r}, labels={info.labels!r}; allowed are {SPLIT_UNITS} and "
            f"{LABELS}; prepare it again"
        )
    missing = [name for name in ("dataset", "licence", "citation", "source_checksum") if not getattr(info, name)]
    if missing:
        yield f"{store.path}: says nothing about {', '.join(missing)}; prepare it again"
    for name in ("parameters", "empty"):
        try:
            json.loads(getattr(info, name) or "{}")
        except ValueError:
            yield f"{store.path}: its {name} are no JSON; prepare it again"


def _group(
    store: Store, group: GroupInfo, groups: dict[str, GroupInfo], advance: Callable[[int], None]
) -> Iterator[str]:
    where = f"{store.path}, group {group.name!r}"
    if group.split not in SPLIT_ORDER:
        yield f"{where}: no stage uses the split {group.split!r}; it is one of {', '.join(SPLIT_ORDER)}"
    for name in ("mpp", "magnification"):
        value = getattr(group, name)
        if value is not None and not (isinstance(value, int | float) and 0 < value < float("inf")):
            yield f"{where}: {name} is {value!r}; it is a positive number, or left out where it is unknown"
    try:
        store.origins(group.name)
    except StoreError as error:
        yield str(error)
    yield from _objects(store, group, where, advance)
    if group.parent is not None:
        yield from _parents(store, group, groups.get(group.parent), where)


def _objects(store: Store, group: GroupInfo, where: str, advance: Callable[[int], None]) -> Iterator[str]:
    try:
        objects = store.objects(group.name)
    except StoreError as error:
        yield str(error)
        objects = None
    if objects is not None and (objects.dtype != OBJECT_DTYPE or objects.ndim != 1):
        yield f"{where}: its table of objects has the columns {objects.dtype}; prepare it again"
        objects = None
    if objects is not None:
        outside = ~np.isin(objects["item"], np.arange(group.count))
        if outside.any():
            yield f"{where}: {outside.sum()} rows of its table of objects name images that it doesn't hold"
    labels, expected = store.info.labels, LABEL_DTYPE[store.info.labels]
    for item in range(group.count):
        try:
            store.image(group.name, item)
        except StoreError as error:
            yield str(error)
        try:
            label = store.label(group.name, item)
        except StoreError as error:
            yield str(error)
        else:
            if label.dtype != expected:
                if item == 0:
                    yield f"{where}: labels are {label.dtype}; {labels} are kept as {expected}: prepare it again"
            elif objects is not None:
                counted = object_table(label[None], labels)
                counted["item"] = item
                told = np.sort(objects[objects["item"] == item], order=("item", "id"))
                if not np.array_equal(told, counted):
                    yield _difference(where, item, told, counted)
        advance(1)


def _difference(where: str, item: int, told: NDArray[np.void], counted: NDArray[np.void]) -> str:
    rows, again = {tuple(row) for row in told.tolist()}, {tuple(row) for row in counted.tolist()}
    ids = sorted({row[1] for row in rows ^ again})
    return (
        f"{where}: the table of objects tells {len(told)} in image {item}, its labels hold {len(counted)}; id, box or "
        f"area differ of {first_few(ids, 5) or 'rows told twice'}: prepare it again"
    )


def _parents(store: Store, group: GroupInfo, parent: GroupInfo | None, where: str) -> Iterator[str]:
    if parent is None:
        yield f"{where}: its parent {group.parent!r} is not in the file; prepare it again"
        return
    try:
        windows = store.parents(group.name)
    except StoreError as error:
        yield str(error)
        return
    if windows.dtype != PARENT_DTYPE or windows.shape != (group.count,):
        yield f"{where}: its parent windows are {windows.shape} {windows.dtype}; needed is one for each image"
        return
    inside = (windows["item"] >= 0) & (windows["item"] < parent.count)
    for low, high, length in (("x0", "x1", parent.width), ("y0", "y1", parent.height)):
        # Comparisons with NaN are false, so that it is outside.
        inside &= (windows[low] >= 0) & (windows[low] < windows[high]) & (windows[high] <= length)
    for item in np.flatnonzero(~inside):
        yield (
            f"{where}: the parent window {windows[item]} of image {item} is not inside the {parent.count} image(s) of "
            f"{parent.width}x{parent.height} px of {parent.name!r}; prepare it again"
        )

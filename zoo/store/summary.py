"""What stores hold, counted over any number of files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import StoreError
from zoo.store.reader import Store
from zoo.store.schema import GroupInfo, Labels, SplitUnit

SPLIT_ORDER = ("train", "val", "test")


@dataclass(frozen=True)
class GroupContent:
    """What one stack of a store holds.

    `areas` (M,) are those of its objects in pixels, `positive` (N,) is the share of each image that is labelled,
    `around` is the parent's magnification, None where it is unknown or there is no parent.
    """

    store: Store
    group: GroupInfo
    areas: NDArray[np.int64]
    positive: NDArray[np.float64]
    around: float | None


@dataclass(frozen=True)
class Counts:
    """One row: the stacks of one split and magnification.

    Attributes:
        split: None: of all splits.
        magnification: objective power; None: unknown.
        groups: stacks.
        images: of all stacks.
        patients: different ones.
        slides: different ones.
        objects: instances, or values other than 0 and 255 in each image of regions.
        median_area: of the objects in pixels; None: there are none, or labels are regions.
        labelled_images: with at least one object.
        positive_fraction: of all pixels, ignored ones too, that are labelled.
        positive_range: the same of single images: smallest and largest.
        sizes: images by 'WIDTHxHEIGHT'.
        mpp: smallest and largest in micrometres per pixel; None: unknown for all.
        mpp_unknown: images without it.
    """

    split: str | None
    magnification: float | None
    groups: int
    images: int
    patients: int
    slides: int
    objects: int
    median_area: float | None
    labelled_images: int
    positive_fraction: float
    positive_range: tuple[float, float]
    sizes: dict[str, int]
    mpp: tuple[float, float] | None
    mpp_unknown: int


@dataclass(frozen=True)
class Pairs:
    """`images` at one magnification whose surroundings are kept at another one; None: unknown."""

    magnification: float | None
    parent_magnification: float | None
    images: int


@dataclass(frozen=True)
class Summary:
    """One data set under one licence, over all files that hold it.

    Attributes:
        creators: programs that wrote it, with the number of files.
        parameters: JSON of the options it was prepared with, with the number of files.
        bytes: of the files on disk.
        rows: by magnification and split.
        totals: one for each magnification.
        pairs: images with a parent.
        attributes: of every further attribute in words or whole numbers, number of groups by value.
        sums: of every further attribute that is JSON of counts, such as why patches were left out.
        ranges: smallest and largest of those that are fractions.
        empty: groups for which preparation found no image.
    """

    dataset: str
    licence: str
    citation: str
    labels: Labels
    split_unit: SplitUnit
    creators: dict[str, int]
    parameters: dict[str, int]
    files: int
    bytes: int
    rows: list[Counts]
    totals: list[Counts]
    pairs: list[Pairs]
    attributes: dict[str, dict[str, int]]
    sums: dict[str, dict[str, int]]
    ranges: dict[str, tuple[float, float]]
    empty: int


def contents(store: Store) -> list[GroupContent]:
    """What each stack of a store holds.

    Raises:
        StoreError: the file can't be read, or its tables are not what they should be.
    """
    groups = {group.name: group for group in store.groups}
    found = []
    for group in groups.values():
        objects = store.objects(group.name)
        names = objects.dtype.names or ()
        if not {"item", "area"} <= set(names) or not ((objects["item"] >= 0) & (objects["item"] < group.count)).all():
            raise StoreError(f"{store.path}, group {group.name!r}: its table of objects is damaged; prepare it again")
        pixels = np.bincount(objects["item"], weights=objects["area"], minlength=group.count)
        parent = groups.get(group.parent or "")
        found.append(
            GroupContent(
                store,
                group,
                objects["area"].astype(np.int64),
                pixels / (group.height * group.width),
                parent.magnification if parent else None,
            )
        )
    return found


def summarise(found: Iterable[tuple[Store, Sequence[GroupContent]]]) -> list[Summary]:
    """One summary a data set and licence, sorted by name, of stores with their contents."""
    alike: dict[tuple[str, ...], list[tuple[Store, Sequence[GroupContent]]]] = {}
    for store, members in found:
        info = store.info
        key = (info.dataset, info.labels, info.split_unit, info.licence, info.citation)
        alike.setdefault(key, []).append((store, members))
    return [_summary(alike[key]) for key in sorted(alike)]


def parsed(text: str) -> dict[str, Any]:
    """A JSON object; empty where the text is none."""
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _summary(files: Sequence[tuple[Store, Sequence[GroupContent]]]) -> Summary:
    infos = [store.info for store, _ in files]
    every = [content for _, members in files for content in members]
    by_row: dict[tuple[float, int, str], list[GroupContent]] = {}
    by_magnification: dict[float, list[GroupContent]] = {}
    pairs: Counter[tuple[float | None, float | None]] = Counter()
    for content in every:
        magnification, split = content.group.magnification or 0.0, content.group.split
        place = SPLIT_ORDER.index(split) if split in SPLIT_ORDER else len(SPLIT_ORDER)
        by_row.setdefault((magnification, place, split), []).append(content)
        by_magnification.setdefault(magnification, []).append(content)
        if content.group.parent is not None:
            pairs[content.group.magnification, content.around] += content.group.count
    empty = [about for info in infos for about in parsed(info.empty).values()]
    attributes, sums, ranges = _attributes([content.group.attributes for content in every], empty)
    info = infos[0]
    return Summary(
        info.dataset,
        info.licence,
        info.citation,
        info.labels,
        info.split_unit,
        dict(Counter(info.creator for info in infos)),
        dict(Counter(info.parameters for info in infos if info.parameters)),
        len(files),
        sum(store.path.stat().st_size for store, _ in files),
        [_counts(members, split) for (_, _, split), members in sorted(by_row.items())],
        [_counts(members, None) for _, members in sorted(by_magnification.items())],
        [Pairs(own, around, images) for (own, around), images in pairs.items()],
        attributes,
        sums,
        ranges,
        len(empty),
    )


def _attributes(
    full: Sequence[Mapping[str, Any]], empty: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, int]], dict[str, tuple[float, float]]]:
    counts: dict[str, Counter[str]] = {}
    sums: dict[str, Counter[str]] = {}
    ranges: dict[str, tuple[float, float]] = {}
    for number, about in enumerate([*full, *empty]):
        for name, value in about.items():
            told = parsed(value) if isinstance(value, str) else {}
            if told and all(type(count) is int for count in told.values()):
                sums.setdefault(name, Counter()).update(told)
            elif number >= len(full):
                continue  # of groups without an image only what they leave out matters
            elif isinstance(value, float):
                low, high = ranges.get(name, (value, value))
                ranges[name] = min(low, value), max(high, value)
            else:
                counts.setdefault(name, Counter())[str(value)] += 1
    by_name = [{name: dict(each[name].most_common()) for name in sorted(each)} for each in (counts, sums)]
    return by_name[0], by_name[1], ranges


def _counts(members: Sequence[GroupContent], split: str | None) -> Counts:
    groups = [content.group for content in members]
    areas = np.concatenate([content.areas for content in members])
    positive = np.concatenate([content.positive for content in members])
    pixels = np.concatenate([np.full(group.count, group.height * group.width) for group in groups])
    sizes: Counter[str] = Counter()
    for group in groups:
        sizes[f"{group.width}x{group.height}"] += group.count
    mpp = [group.mpp for group in groups if group.mpp is not None]
    instances = members[0].store.info.labels == "instances"
    return Counts(
        split,
        groups[0].magnification,
        len(groups),
        len(pixels),
        len({group.patient for group in groups}),
        len({group.slide for group in groups}),
        len(areas),
        float(np.median(areas)) if instances and len(areas) else None,
        int((positive > 0).sum()),
        float((positive * pixels).sum() / pixels.sum()),
        (float(positive.min()), float(positive.max())),
        dict(sizes.most_common()),
        (min(mpp), max(mpp)) if mpp else None,
        sum(group.count for group in groups if group.mpp is None),
    )

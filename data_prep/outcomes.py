"""What was made: small records of shards and groups, and their tables for people, CSV and JSON."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.table import Table

from zoo.files import write_text
from zoo.store.reader import Store
from zoo.store.schema import GroupInfo

Status = Literal["written", "up to date", "failed"]
STATUSES: tuple[Status, ...] = ("written", "up to date", "failed")


@dataclass(frozen=True)
class GroupOutcome:
    """One group of a store; fractions are 0 to 1 and None where the data set gives none.

    `skipped` counts places of the grid that make no patch, `left_out` objects of the annotation that can't be drawn.
    """

    store: str
    group: str
    slide: str
    patient: str
    split: str
    patches: int
    objects: int
    width: int
    height: int
    mpp: float | None
    magnification: float | None
    tissue_fraction: float | None
    tumour_fraction: float | None
    skipped: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def megapixels(self) -> float:
        """Pixels of all patches, in millions."""
        return self.patches * self.width * self.height / 1e6

    @property
    def of_slide(self) -> bool:
        """Whether it was cut from a slide, so that what was left out is of interest."""
        return bool(self.skipped) or self.tissue_fraction is not None or self.tumour_fraction is not None

    def row(self) -> dict[str, Any]:
        """All of it by name, for CSV and JSON."""
        return asdict(self) | {"megapixels": round(self.megapixels, 6)}


@dataclass(frozen=True)
class ShardOutcome:
    """What became of one shard: `reason` says why it failed, `groups` are in its file."""

    stem: str
    path: Path
    status: Status
    reason: str = ""
    groups: Sequence[GroupOutcome] = ()

    def row(self) -> dict[str, Any]:
        """All of it, for JSON."""
        groups = [group.row() for group in self.groups]
        return {"stem": self.stem, "path": str(self.path), "status": self.status, "reason": self.reason} | {
            "groups": groups
        }


def describe(path: Path) -> list[GroupOutcome]:
    """Records of all groups of a store, those without any patch included."""
    with closing(Store(path)) as store:
        found = [_group(path, group, len(store.objects(group.name))) for group in store.groups]
        for name, attributes in json.loads(store.info.empty or "{}").items():
            about = {key: attributes.pop(key, None) for key in ("slide", "patient", "split", "mpp", "magnification")}
            attributes.pop("parent", None)
            found.append(_group(path, GroupInfo(name, 0, 0, 0, **about, attributes=attributes), 0))
    return found


def _group(path: Path, group: GroupInfo, objects: int) -> GroupOutcome:
    about: Mapping[str, Any] = group.attributes
    return GroupOutcome(
        path.stem,
        group.name,
        group.slide,
        group.patient,
        group.split,
        group.count,
        objects,
        group.width,
        group.height,
        group.mpp,
        group.magnification,
        about.get("tissue_fraction"),
        about.get("tumour_fraction"),
        json.loads(about.get("skipped", "{}")),
        json.loads(about.get("left_out", "{}")),
    )


def split_table(groups: Iterable[GroupOutcome]) -> Table:
    """Images, patients, objects and megapixels of each split."""
    table = Table("split")
    for name in ("images", "patients", "objects", "megapixels"):
        table.add_column(name, justify="right")
    by_split: dict[str, list[GroupOutcome]] = {}
    for group in groups:
        by_split.setdefault(group.split, []).append(group)
    for split, members in by_split.items():
        images, objects = sum(group.patches for group in members), sum(group.objects for group in members)
        patients = len({group.patient for group in members if group.patches})
        megapixels = sum(group.megapixels for group in members)
        table.add_row(split, f"{images:,}", f"{patients:,}", f"{objects:,}", f"{megapixels:,.1f}")
    return table


def slide_table(groups: Iterable[GroupOutcome]) -> Table | None:
    """Patches of each group that was cut from a slide, and what was left out; None if there is no such group."""
    table = Table("slide", "group")
    for name in ("patches", "tissue %", "tumour %"):
        table.add_column(name, justify="right")
    groups = [group for group in groups if group.of_slide]
    columns = [("skipped", [group.skipped for group in groups])]
    if any(group.left_out for group in groups):
        columns.append(("objects left out", [group.left_out for group in groups]))
    for name, _ in columns:
        table.add_column(name)
    for row, group in enumerate(groups):
        fractions = (_percent(group.tissue_fraction), _percent(group.tumour_fraction))
        counts = [", ".join(f"{count:,} {why}" for why, count in found[row].items()) for _, found in columns]
        table.add_row(group.slide, group.group, f"{group.patches:,}", *fractions, *counts)
    return table if table.row_count else None


def write_csv(path: Path, groups: Sequence[GroupOutcome]) -> None:
    """One row per group."""
    text = io.StringIO()
    counts = [{key: json.dumps(dict(getattr(group, key))) for key in ("skipped", "left_out")} for group in groups]
    rows = [group.row() | found for group, found in zip(groups, counts, strict=True)]
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else f"{100 * fraction:.1f}"

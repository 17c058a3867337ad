"""What all data sets share: their description, the shards to write, progress and the closing table."""

import argparse
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from zoo.data.schema import Labels, SplitUnit
from zoo.data.store import Store
from zoo.data.writer import StoreWriter
from zoo.errors import DataError


@dataclass(frozen=True)
class Patch:
    """One image of a stack with its labels; see `zoo.data.writer.Stack.append` for the fields."""

    image: NDArray[np.uint8]
    label: NDArray[np.integer]
    origin: tuple[int, int] = (0, 0)
    parent: Sequence[float] | None = None


@dataclass(frozen=True)
class Skipped:
    """A place of the grid that makes no patch, and why in a word or two, e.g. 'little tissue'."""

    why: str


@dataclass(frozen=True)
class Group:
    """One stack of equally large patches, made while they are written; `StoreWriter.open_group` explains the fields."""

    name: str
    patches: Iterable[Patch | Skipped]
    slide: str
    patient: str
    split: str
    mpp: float | None = None
    magnification: float | None = None
    parent: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Shard:
    """One file to write: its stem, the raw files it is made from, and how to read them."""

    stem: str
    files: Sequence[Path]
    read: Callable[[], Iterable[Group]]


@dataclass(frozen=True)
class Plan:
    """What a data set module makes of a source folder; see `StoreWriter` for the fields."""

    dataset: str
    licence: str
    citation: str
    shards: Sequence[Shard]
    split_unit: SplitUnit = "patient"
    labels: Labels = "instances"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that every data set takes."""
    parser.add_argument("--source", type=Path, required=True, help="folder with the raw data, as laid out below")
    parser.add_argument("--out", type=Path, required=True, help="folder for the stores; made if missing")
    parser.add_argument("--force", action="store_true", help="replace stores that exist already")


def wrong_layout(source: Path, problem: str, layout: str) -> DataError:
    """Error that shows the folders and files that were expected."""
    return DataError(f"{source}: {problem}. Expected layout:\n\n{layout}")


def files_checksum(files: Iterable[Path]) -> str:
    """Sha256 over names and contents of files, in order."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0")
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def write(plan: Plan, out: Path, force: bool = False) -> list[Path]:
    """Write all shards of a plan and print what is in them.

    Raises:
        DataError: a file exists and `force` is not given (nothing is written then).
    """
    paths = [out / f"{shard.stem}.h5" for shard in plan.shards]
    existing = [path for path in paths if path.exists()]
    if existing and not force:
        raise DataError(f"{existing[0]} exists already; give another --out, or --force to replace it")
    console = Console(stderr=True)
    for shard, path in track(list(zip(plan.shards, paths, strict=True)), plan.dataset, console=console):
        writer = StoreWriter(
            path,
            dataset=plan.dataset,
            licence=plan.licence,
            citation=plan.citation,
            source_checksum=files_checksum(shard.files),
            split_unit=plan.split_unit,
            labels=plan.labels,
        )
        with writer:
            for group in shard.read():
                stack = writer.open_group(
                    group.name,
                    slide=group.slide,
                    patient=group.patient,
                    split=group.split,
                    mpp=group.mpp,
                    magnification=group.magnification,
                    parent=group.parent,
                    **group.attributes,
                )
                for patch in group.patches:
                    if isinstance(patch, Patch):
                        stack.append(patch.image, patch.label, patch.origin, patch.parent)
    console.print(summary(paths))
    console.print(f"{plan.dataset}: {len(paths)} file(s) in {out}. Licence: {plan.licence}", highlight=False)
    return paths


def summary(paths: Iterable[Path]) -> Table:
    """Table of images, patients and objects in each split."""
    images: dict[str, int] = {}
    patients: dict[str, set[str]] = {}
    objects: dict[str, int] = {}
    for path in paths:
        store = Store(path)
        for group in store.groups:
            images[group.split] = images.get(group.split, 0) + group.count
            patients.setdefault(group.split, set()).add(group.patient)
            objects[group.split] = objects.get(group.split, 0) + len(store.objects(group.name))
        store.close()
    table = Table("split", "images", "patients", "objects")
    for split in images:
        table.add_row(split, str(images[split]), str(len(patients[split])), f"{objects[split]:,}")
    return table

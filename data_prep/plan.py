"""How a data set module describes what it makes of a source folder: patches in groups in shards in a plan."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.store.schema import Labels, SplitUnit


@dataclass(frozen=True)
class Patch:
    """One image of a stack with its labels; see `zoo.store.writer.Stack.append` for the fields."""

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
    """One stack of equally large patches; `StoreWriter.open_group` explains the fields.

    `patches` may be a generator: it is run in a thread of its own, a few patches ahead of the writing. What was
    `Skipped` is counted in the attribute `skipped`, JSON of reason: count.
    """

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
    """One file to write: its stem, the raw files it is made from, and how to read them.

    It goes to other processes, so `read` and `preview` are functions of a module or partials of them.

    Args:
        stem: name of the file without '.h5'.
        files: raw files; their names and contents decide whether a shard is up to date.
        read: makes the groups, one after the other.
        preview: picture (H, W, 3) uint8 of the finished store, saved beside it as PNG.
        says: `patient`, `split` and attributes that each of its groups has, as far as folders or a file of the whole
            data set decide them: a store in which they are others is not up to date.
    """

    stem: str
    files: Sequence[Path]
    read: Callable[[], Iterable[Group]]
    preview: Callable[[Path], NDArray[np.uint8]] | None = None
    says: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What a data set module makes of a source folder; see `StoreWriter` for the fields."""

    dataset: str
    licence: str
    citation: str
    shards: Sequence[Shard]
    split_unit: SplitUnit = "patient"
    labels: Labels = "instances"


def wrong_layout(source: Path, problem: str, layout: str) -> DataError:
    """Error that shows the folders and files that were expected."""
    return DataError(f"{source}: {problem}. Expected layout:\n\n{layout}")

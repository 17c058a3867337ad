"""Reads the HDF5 store by windows, from any number of processes."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  registers zstd with HDF5
import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError, StoreError
from zoo.files import is_input, shipped
from zoo.store.schema import SCHEMA_VERSION, GroupInfo, StoreInfo, Window, check_shapes

_GROUP_FIELDS = ("slide", "patient", "split", "mpp", "magnification", "parent")

# What h5py raises on a file whose bytes were changed: hardly anything has a kind of its own.
_DAMAGE = (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, OverflowError, MemoryError)


# Rows of a whole image that are read at a time for its checksum.
_ROWS = 1024


class Store:
    """Reader of one store; opened at first use in each process, so it may be pickled and may cross a fork.

    Args:
        path: an HDF5 file written by `StoreWriter`.
        cache_bytes: unpacked tiles kept in memory, for images and labels of each group. The default holds one
            whole image of 1000x1000 px and makes windows from it 15 times as fast; 0 for stores so many or so
            large that tiles are not read twice.

    Raises:
        StoreError: at first use, if the file is missing, no HDF5 file, truncated, of another schema
            version, or lacks images or labels; at reading, for unknown names, items or windows.
    """

    def __init__(self, path: str | Path, cache_bytes: int = 4 * 2**20) -> None:
        self.path = shipped(Path(path))
        self.cache_bytes = cache_bytes
        self._info: StoreInfo | None = None
        self._groups: dict[str, GroupInfo | None] | None = None
        self._handle: Any = None
        self._datasets: dict[tuple[str, str], Any] = {}
        self._pid = 0

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_handle": None, "_datasets": {}, "_pid": 0}

    def close(self) -> None:
        """Close this process' handle; the next access opens it again."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None
            self._datasets = {}

    @property
    def info(self) -> StoreInfo:
        """Schema version, data set, licence, citation, checksum of the source, split unit, labels, creator."""
        if self._info is None:
            with self._readable("its attributes"):
                self._info = _read_info(self.path, self._file)
        return self._info

    @property
    def names(self) -> list[str]:
        """Names of the stacks, sorted; they are not looked into."""
        return list(self._by_name)

    @property
    def groups(self) -> list[GroupInfo]:
        """The stacks of the file, sorted by name."""
        return [self.group(name) for name in self.names]

    def group(self, name: str) -> GroupInfo:
        """The stack of that name."""
        if name not in self._by_name:
            raise StoreError(f"{self.path}: no group {name!r}; it has {', '.join(self.names[:5])} ...")
        found = self._by_name[name]
        if found is None:
            with self._readable(f"group {name!r}"):
                found = self._by_name[name] = _read_group(self.path, name, self._file[name])
        return found

    def image(self, group: str, item: int, window: Window | None = None) -> NDArray[np.uint8]:
        """Image, or a part of it: (H, W, 3) uint8; `window` = (x0, y0, x1, y1), half-open, inside the image."""
        return self._read(group, "image", item, window)

    def label(self, group: str, item: int, window: Window | None = None) -> NDArray[np.integer]:
        """Labels of the same pixels as `image`: (H, W) int32 (instances) or uint8 (region, 255 = ignore)."""
        return self._read(group, "label", item, window)

    def objects(self, group: str) -> NDArray[np.void]:
        """Structured array of `zoo.store.schema.OBJECT_DTYPE`: item, id, x0, y0, x1, y1 (half-open), area."""
        return self._table(group, "objects")

    def origins(self, group: str) -> NDArray[np.int64]:
        """(N, 2) x, y of the images' top-left corners in level-0 pixels."""
        return self._table(group, "origin")

    def parents(self, group: str) -> NDArray[np.void]:
        """Structured array of `zoo.store.schema.PARENT_DTYPE`: item of the parent group and the window in its pixels.

        Raises:
            StoreError: the group has no parent.
        """
        if self.group(group).parent is None:
            raise StoreError(f"{self.path}, group {group!r}: has no parent; prepare it at two magnifications")
        return self._table(group, "parent")

    def interactions(self, group: str) -> str | None:
        """What people said of the group's objects; None: nothing is kept.

        JSON of `isegzoo.interactions/1`: objects with their id and, in the image's pixels, their interactions.
        """
        self.group(group)
        with self._readable(f"interactions of group {group!r}"):
            return self._file[group]["interactions"].asstr()[()] if "interactions" in self._file[group] else None

    def checksum(self) -> str:
        """Sha256 of the data, hexadecimal: what results record.

        Of every group its name, split, mpp, images and labels, and what the labels are: whoever wrote the same data,
        with whatever version or compression, gets the same. All pixels are read.
        """
        total = hashlib.sha256(f"{self.info.labels}\n".encode())
        for group in self.groups:
            mpp = None if group.mpp is None else float(group.mpp)
            facts = [group.name, group.split, mpp, group.count, group.height, group.width]
            total.update((json.dumps(facts) + "\n").encode())
            for item in range(group.count):
                for y in range(0, group.height, _ROWS):
                    window = (0, y, group.width, min(y + _ROWS, group.height))
                    total.update(np.ascontiguousarray(self.image(group.name, item, window)).data)
                    total.update(np.ascontiguousarray(self.label(group.name, item, window), "<i4").data)
        return total.hexdigest()

    @property
    def _file(self) -> Any:
        if self._pid != os.getpid():
            # HDF5 would share the parent's file descriptor if the copied handle stayed open.
            self.close()
        if self._handle is None:
            self._handle, self._pid = _open(self.path, self.cache_bytes), os.getpid()
        return self._handle

    @property
    def _by_name(self) -> dict[str, GroupInfo | None]:
        """What was read of each group so far."""
        if self._groups is None:
            _ = self.info  # an unknown schema must be named before its groups are looked at
            with self._readable("its list of groups"):
                self._groups = dict.fromkeys(_plain(name) for name in self._file)
        return self._groups

    @contextmanager
    def _readable(self, what: str) -> Iterator[None]:
        try:
            yield
        except _DAMAGE as error:
            raise StoreError(f"{self.path}: {what} can't be read; copy or prepare it again") from error

    def _table(self, name: str, kind: str) -> NDArray[Any]:
        self.group(name)
        with self._readable(f"{kind} of group {name!r}"):
            return np.asarray(self._file[name][kind][()])

    def _dataset(self, name: str, kind: str) -> Any:
        # HDF5 forgets its unpacked tiles when the last handle of a dataset goes.
        file = self._file
        if (name, kind) not in self._datasets:
            self._datasets[name, kind] = file[name][kind]
        return self._datasets[name, kind]

    def _read(self, name: str, kind: str, item: int, window: Window | None) -> NDArray[Any]:
        group = self.group(name)
        x0, y0, x1, y1 = (0, 0, group.width, group.height) if window is None else window
        if not (0 <= item < group.count and 0 <= x0 < x1 <= group.width and 0 <= y0 < y1 <= group.height):
            raise StoreError(
                f"{self.path}, group {name!r}: item {item}, window {window} is not inside its {group.count} "
                f"image(s) of {group.width}x{group.height} px; choose a smaller window (x0, y0, x1, y1)"
            )
        try:
            return np.asarray(self._dataset(name, kind)[item, y0:y1, x0:x1])
        except _DAMAGE as error:
            raise StoreError(f"{self.path}, group {name!r}: {kind} {item} is damaged; prepare it again") from error


def store_paths(pattern: str) -> list[Path]:
    """The files that a path, a folder (all its .h5 files, at any depth) or a glob pattern names, sorted.

    Files whose names begin with a dot are left out unless they are named.

    Raises:
        DataError: there are none.
    """
    place = shipped(Path(pattern))
    if place.is_dir():
        found = sorted(filter(is_input, place.rglob("*.h5")))
    else:
        # A name that exists may hold brackets, which glob takes for a choice of characters.
        found = [place] if place.exists() else sorted(Path(name) for name in glob(pattern, recursive=True))
    if not found:
        what = "holds no .h5 files" if place.is_dir() else "no such file"
        raise DataError(f"{pattern}: {what}; prepare stores with `zoo prep`, or correct the path")
    return found


def _open(path: Path, cache_bytes: int) -> Any:
    if not path.is_file():
        raise _missing(path)
    if not h5py.is_hdf5(path):
        raise StoreError(f"{path}: not an HDF5 file; make stores with `zoo prep`")
    try:
        return h5py.File(path, "r", locking=False, rdcc_nbytes=cache_bytes)
    except OSError as error:
        raise StoreError(
            f"{path}: truncated or damaged ({path.stat().st_size} bytes); copy or prepare it again"
        ) from error


def _missing(path: Path) -> StoreError:
    return StoreError(f"{path}: no such file; make stores with `zoo prep` or check the path")


def _read_info(path: Path, file: Any) -> StoreInfo:
    found = file.attrs.get("schema_version")
    if found != SCHEMA_VERSION:
        raise StoreError(
            f"{path}: schema version {found}, but this isegzoo reads version {SCHEMA_VERSION}; "
            "prepare the data again or install the version that wrote it"
        )
    fields = {key: _plain(file.attrs.get(key, "")) for key in StoreInfo.__dataclass_fields__}
    return StoreInfo(**fields | {"schema_version": int(found)})


def _read_group(path: Path, name: str, group: Any) -> GroupInfo:
    where = f"{path}, group {name!r}"
    missing = [key for key in ("image", "label", "origin", "objects") if key not in group]
    missing += [key for key in ("slide", "patient", "split") if key not in group.attrs]
    if missing:
        raise StoreError(f"{where}: {', '.join(missing)} missing; write it with zoo.store.writer.StoreWriter")
    check_shapes(where, group["image"], group["label"], group["origin"])
    count, height, width, _ = group["image"].shape
    attributes = {key: _plain(value) for key, value in sorted(group.attrs.items())}
    known = {key: attributes.pop(key) for key in _GROUP_FIELDS if key in attributes}
    return GroupInfo(name, count, height, width, **known, attributes=attributes)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        value.encode()  # h5py hides bytes that are no text as lone surrogates, which can't be printed
    return value.item() if isinstance(value, np.generic) else value

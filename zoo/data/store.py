"""The HDF5 store: written once and atomically, read by windows from any number of processes."""

import os
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import NDArray

from zoo.data.schema import (
    LABEL_DTYPE,
    LABELS,
    SCHEMA_VERSION,
    SPLIT_UNITS,
    Attribute,
    GroupInfo,
    Labels,
    SplitUnit,
    StoreInfo,
    Window,
    object_table,
)
from zoo.errors import StoreError
from zoo.files import sha256

_GROUP_FIELDS = ("slide", "patient", "split", "mpp", "magnification")
# A patch is one chunk. Larger images are cut into tiles, so that a window doesn't unpack the whole image.
_LARGEST_CHUNK, _TILE = 512, 256


class StoreWriter:
    """Context manager that writes one store; the file appears under its name only when all went well.

    Args:
        path: file to write, replaced if it exists; its folder is made.
        dataset: name of the data set, e.g. 'MoNuSeg (challenge split)'.
        licence: licence of images and labels.
        citation: what a publication has to cite.
        source_checksum: sha256 over the raw files the store was made from.
        split_unit: what no two splits share: 'patient', or 'field' where the publisher's split says so.
        labels: 'instances' (int32, any ids) or 'region' (uint8, 255 = ignore).
        creator: program that writes; default: this package and its version.

    Raises:
        StoreError: arrays that break the schema or disagree with each other.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        dataset: str,
        licence: str,
        citation: str,
        source_checksum: str,
        split_unit: SplitUnit = "patient",
        labels: Labels = "instances",
        creator: str | None = None,
    ) -> None:
        self.path = Path(path)
        if split_unit not in SPLIT_UNITS or labels not in LABELS:
            raise StoreError(
                f"{path}: split_unit={split_unit!r}, labels={labels!r}; allowed are {SPLIT_UNITS} and {LABELS}"
            )
        creator = creator or f"isegzoo {version('isegzoo')}"
        self.info = StoreInfo(SCHEMA_VERSION, dataset, licence, citation, source_checksum, split_unit, labels, creator)
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        self._file: Any = None

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = h5py.File(self._temporary, "w")
        self._file.attrs.update(asdict(self.info))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
            if kind is None:
                _sync(self._temporary)
                os.replace(self._temporary, self.path)
                _sync(self.path.parent)
        finally:
            self._temporary.unlink(missing_ok=True)

    def add_group(
        self,
        name: str,
        images: NDArray[np.uint8],
        labels: NDArray[np.integer],
        *,
        slide: str,
        patient: str,
        split: str,
        origins: NDArray[np.integer] | None = None,
        mpp: float | None = None,
        magnification: float | None = None,
        **attributes: Attribute,
    ) -> None:
        """Add one stack of equally large images of one slide.

        Args:
            name: name of the group, unique in the file, without '/'.
            images: (N, H, W, 3) uint8 RGB.
            labels: (N, H, W) integers; instances must fit int32, regions uint8 (255 = ignore).
            slide: slide id.
            patient: patient id (or the appearance group where patients are unknown).
            split: 'train', 'val' or 'test'.
            origins: (N, 2) x, y of the top-left corners in level-0 pixels; None: all zero.
            mpp: micrometres per pixel; None: unknown.
            magnification: objective power, e.g. 40; None: unknown.
            attributes: anything else worth keeping, e.g. organ='breast'.
        """
        where = f"{self.path}, group {name!r}"
        if "/" in name or name in self._file:
            raise StoreError(f"{where}: a group's name must be new and hold no '/'; give it another one")
        origins = np.zeros((len(images), 2), np.int64) if origins is None else np.asarray(origins, np.int64)
        _check_shapes(where, images, labels, origins)
        dtype = LABEL_DTYPE[self.info.labels]
        if labels.size and not (np.iinfo(dtype).min <= labels.min() and labels.max() <= np.iinfo(dtype).max):
            raise StoreError(f"{where}: labels {labels.min()}..{labels.max()} do not fit {dtype}; renumber them")

        group = self._file.create_group(name)
        known = zip(_GROUP_FIELDS, (slide, patient, split, mpp, magnification), strict=True)
        group.attrs.update({key: value for key, value in known if value is not None} | attributes)
        self._write(group, "image", images)
        self._write(group, "label", labels.astype(dtype, copy=False))
        group.create_dataset("origin", data=origins)
        group.create_dataset("objects", data=object_table(labels, self.info.labels))

    @staticmethod
    def _write(group: Any, name: str, array: NDArray[Any]) -> None:
        sides = array.shape[1:3]
        tile = sides if max(sides) <= _LARGEST_CHUNK else (min(_TILE, sides[0]), min(_TILE, sides[1]))
        chunks = (1, *tile, *array.shape[3:])
        # Shuffling bytes does nothing for uint8 images.
        group.create_dataset(name, data=array, chunks=chunks, compression=hdf5plugin.Zstd(clevel=5))


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
        self.path = Path(path)
        self.cache_bytes = cache_bytes
        self._info: StoreInfo | None = None
        self._groups: dict[str, GroupInfo] | None = None
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
            self._info = _read_info(self.path, self._file)
        return self._info

    @property
    def groups(self) -> list[GroupInfo]:
        """The stacks of the file, sorted by name."""
        return list(self._by_name.values())

    def image(self, group: str, item: int, window: Window | None = None) -> NDArray[np.uint8]:
        """Image, or a part of it: (H, W, 3) uint8; `window` = (x0, y0, x1, y1), half-open, inside the image."""
        return self._read(group, "image", item, window)

    def label(self, group: str, item: int, window: Window | None = None) -> NDArray[np.integer]:
        """Labels of the same pixels as `image`: (H, W) int32 (instances) or uint8 (region, 255 = ignore)."""
        return self._read(group, "label", item, window)

    def objects(self, group: str) -> NDArray[np.void]:
        """Structured array of `zoo.data.schema.OBJECT_DTYPE`: item, id, x0, y0, x1, y1 (half-open), area."""
        self._group(group)
        return np.asarray(self._file[group]["objects"][()])

    def origins(self, group: str) -> NDArray[np.int64]:
        """(N, 2) x, y of the images' top-left corners in level-0 pixels."""
        self._group(group)
        return np.asarray(self._file[group]["origin"][()])

    def checksum(self) -> str:
        """Sha256 of the file, hexadecimal: what results record as their data."""
        if not self.path.is_file():
            raise _missing(self.path)
        return sha256(self.path)

    @property
    def _file(self) -> Any:
        if self._pid != os.getpid():
            # HDF5 would share the parent's file descriptor if the copied handle stayed open.
            self.close()
        if self._handle is None:
            self._handle, self._pid = _open(self.path, self.cache_bytes), os.getpid()
        return self._handle

    @property
    def _by_name(self) -> dict[str, GroupInfo]:
        if self._groups is None:
            _ = self.info  # an unknown schema must be named before its groups are looked at
            self._groups = {name: _read_group(self.path, name, self._file[name]) for name in self._file}
        return self._groups

    def _group(self, name: str) -> GroupInfo:
        try:
            return self._by_name[name]
        except KeyError:
            raise StoreError(
                f"{self.path}: no group {name!r}; it has {', '.join(list(self._by_name)[:5])} ..."
            ) from None

    def _dataset(self, name: str, kind: str) -> Any:
        # HDF5 forgets its unpacked tiles when the last handle of a dataset goes.
        file = self._file
        if (name, kind) not in self._datasets:
            self._datasets[name, kind] = file[name][kind]
        return self._datasets[name, kind]

    def _read(self, name: str, kind: str, item: int, window: Window | None) -> NDArray[Any]:
        group = self._group(name)
        x0, y0, x1, y1 = (0, 0, group.width, group.height) if window is None else window
        if not (0 <= item < group.count and 0 <= x0 < x1 <= group.width and 0 <= y0 < y1 <= group.height):
            raise StoreError(
                f"{self.path}, group {name!r}: item {item}, window {window} is not inside its {group.count} "
                f"image(s) of {group.width}x{group.height} px; choose a smaller window (x0, y0, x1, y1)"
            )
        try:
            return np.asarray(self._dataset(name, kind)[item, y0:y1, x0:x1])
        except OSError as error:
            raise StoreError(f"{self.path}, group {name!r}: {kind} {item} is damaged; prepare it again") from error


def _open(path: Path, cache_bytes: int) -> Any:
    if not path.is_file():
        raise _missing(path)
    if not h5py.is_hdf5(path):
        raise StoreError(f"{path}: not an HDF5 file; make one with `python -m data_prep`")
    try:
        return h5py.File(path, "r", locking=False, rdcc_nbytes=cache_bytes)
    except OSError as error:
        raise StoreError(
            f"{path}: truncated or damaged ({path.stat().st_size} bytes); copy or prepare it again"
        ) from error


def _missing(path: Path) -> StoreError:
    return StoreError(f"{path}: no such file; make stores with `python -m data_prep` or check the path")


def _read_info(path: Path, file: Any) -> StoreInfo:
    found = file.attrs.get("schema_version")
    if found != SCHEMA_VERSION:
        raise StoreError(
            f"{path}: schema version {found}, but this isegzoo reads version {SCHEMA_VERSION}; "
            "prepare the data again or install the version that wrote it"
        )
    fields = {key: file.attrs.get(key, "") for key in StoreInfo.__dataclass_fields__}
    return StoreInfo(**fields | {"schema_version": int(found)})


def _read_group(path: Path, name: str, group: Any) -> GroupInfo:
    where = f"{path}, group {name!r}"
    missing = [key for key in ("image", "label", "origin", "objects") if key not in group]
    missing += [key for key in ("slide", "patient", "split") if key not in group.attrs]
    if missing:
        raise StoreError(f"{where}: {', '.join(missing)} missing; write it with zoo.data.store.StoreWriter")
    _check_shapes(where, group["image"], group["label"], group["origin"])
    count, height, width, _ = group["image"].shape
    attributes = {key: _plain(value) for key, value in sorted(group.attrs.items())}
    known = {key: attributes.pop(key) for key in _GROUP_FIELDS if key in attributes}
    return GroupInfo(name, count, height, width, **known, attributes=attributes)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _check_shapes(where: str, images: Any, labels: Any, origins: Any) -> None:
    if len(images.shape) != 4 or images.shape[3] != 3 or images.dtype != np.uint8 or 0 in images.shape:
        raise StoreError(
            f"{where}: images are {images.shape} {images.dtype}; needed is (N, H, W, 3) uint8, N, H, W > 0"
        )
    if labels.shape != images.shape[:3] or not np.issubdtype(labels.dtype, np.integer):
        raise StoreError(
            f"{where}: labels are {labels.shape} {labels.dtype} for images {images.shape}; "
            "needed are integers of the images' (N, H, W)"
        )
    if origins.shape != (images.shape[0], 2):
        raise StoreError(f"{where}: origins are {origins.shape}; needed is ({images.shape[0]}, 2)")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

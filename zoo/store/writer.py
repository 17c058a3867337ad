"""Writes the HDF5 store: patch by patch, in constant memory, and under its name only when complete."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import NDArray

from zoo.errors import StoreError
from zoo.store.output import Output, unwritable
from zoo.store.schema import (
    LABEL_DTYPE,
    LABELS,
    PARENT_DTYPE,
    SCHEMA_VERSION,
    SPLIT_UNITS,
    Attribute,
    Labels,
    SplitUnit,
    StoreInfo,
    check_shapes,
    object_table,
)

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
        parameters: JSON of the options it was made with; empty: unknown.
        creator: program that writes; default: this package and its version.

    Raises:
        StoreError: arrays that break the schema or disagree with each other, or a full disk.
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
        parameters: str = "",
        creator: str | None = None,
    ) -> None:
        self.path = Path(path)
        if split_unit not in SPLIT_UNITS or labels not in LABELS:
            raise StoreError(
                f"{path}: split_unit={split_unit!r}, labels={labels!r}; allowed are {SPLIT_UNITS} and {LABELS}"
            )
        creator = creator or f"isegzoo {version('isegzoo')}"
        self.info = StoreInfo(
            SCHEMA_VERSION, dataset, licence, citation, source_checksum, split_unit, labels, creator, parameters
        )
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        self._output: Any = None
        self._file: Any = None
        self._empty: dict[str, dict[str, Attribute]] = {}
        self._open: Stack | None = None

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._output = Output(self._temporary, self.path)
        except OSError as error:
            raise unwritable(self.path, error) from None
        self._file = h5py.File(self._output, "w")
        self._file.attrs.update(asdict(self.info))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish_group()
                self._file.attrs["empty"] = json.dumps(self._empty, default=float) if self._empty else ""
            self._file.close()
            self._output.close()
            if kind is None:
                self._output.check()
                _sync(self._temporary)
                os.replace(self._temporary, self.path)
                _sync(self.path.parent)
        except OSError as problem:
            if kind is None:
                raise unwritable(self.path, problem) from None
        finally:
            self._temporary.unlink(missing_ok=True)

    def open_group(
        self,
        name: str,
        *,
        slide: str,
        patient: str,
        split: str,
        mpp: float | None = None,
        magnification: float | None = None,
        parent: str | None = None,
        **attributes: Attribute,
    ) -> "Stack":
        """Begin a stack of equally large images of one slide; patches are appended to what is returned.

        The stack is complete when the next one is opened or the writer is left. One without any patch leaves no group,
        but its attributes in `store.info.empty`.

        Args:
            name: name of the group, unique in the file, without '/'.
            slide: slide id.
            patient: patient id (or the appearance group where patients are unknown).
            split: 'train', 'val' or 'test'.
            mpp: micrometres per pixel; None: unknown.
            magnification: objective power, e.g. 40; None: unknown.
            parent: group of lower magnification that was written before and holds these patches' surroundings.
            attributes: anything else worth keeping, e.g. organ='breast'.
        """
        self._finish_group()
        where = f"{self.path}, group {name!r}"
        if "/" in name or name in self._file or name in self._empty:
            raise StoreError(f"{where}: a group's name must be new and hold no '/'; give it another one")
        if parent is not None and parent not in self._file:
            raise StoreError(f"{where}: its parent {parent!r} is not in the file; write it first")
        fields = {"slide": slide, "patient": patient, "split": split, "mpp": mpp, "magnification": magnification}
        known = {key: value for key, value in (fields | {"parent": parent}).items() if value is not None}
        self._open = Stack(where, self._file, self._output, name, self.info.labels, known | attributes)
        return self._open

    def add_group(
        self,
        name: str,
        images: NDArray[np.uint8],
        labels: NDArray[np.integer],
        *,
        origins: NDArray[np.integer] | None = None,
        **about: Any,
    ) -> None:
        """Add a stack that is in memory.

        Args:
            name: name of the group.
            images: (N, H, W, 3) uint8 RGB.
            labels: (N, H, W) integers; instances must fit int32, regions uint8 (255 = ignore).
            origins: (N, 2) x, y of the top-left corners in level-0 pixels; None: all zero.
            about: the other arguments of `open_group`.
        """
        where = f"{self.path}, group {name!r}"
        origins = np.zeros((len(images), 2), np.int64) if origins is None else np.asarray(origins, np.int64)
        check_shapes(where, images, labels, origins)
        stack = self.open_group(name, **about)
        for image, label, (x, y) in zip(images, labels, origins, strict=True):
            stack.append(image, label, (int(x), int(y)))

    def _finish_group(self) -> None:
        if self._open is not None:
            if self._open.count == 0:
                self._empty[self._open.name] = self._open.attributes
            else:
                self._open.finish()
            self._open = None


class Stack:
    """One group while it is written; made by `StoreWriter.open_group`."""

    def __init__(
        self, where: str, file: Any, output: Output, name: str, labels: Labels, attributes: dict[str, Attribute]
    ) -> None:
        self.name = name
        self.count = 0
        self.attributes = attributes
        self._where, self._file, self._output, self._labels = where, file, output, labels
        self._origins: list[tuple[int, int]] = []
        self._parents: list[tuple[float, ...]] = []
        self._objects: list[NDArray[np.void]] = []
        self._image: Any = None
        self._label: Any = None
        self._said: str | None = None

    def append(
        self,
        image: NDArray[np.uint8],
        label: NDArray[np.integer],
        origin: tuple[int, int] = (0, 0),
        parent: Sequence[float] | None = None,
    ) -> None:
        """Add one patch.

        Args:
            image: (H, W, 3) uint8 RGB, of one size in a stack.
            label: (H, W) integers; instances must fit int32, regions uint8 (255 = ignore).
            origin: x, y of the top-left corner in level-0 pixels.
            parent: item of the parent group and window x0, y0, x1, y1 in its pixels; needed if there is a parent.

        Raises:
            StoreError: another shape or type, or a full disk.
        """
        check_shapes(self._where, image[None], label[None], np.zeros((1, 2)))
        dtype = LABEL_DTYPE[self._labels]
        if not (np.iinfo(dtype).min <= label.min() and label.max() <= np.iinfo(dtype).max):
            raise StoreError(f"{self._where}: labels {label.min()}..{label.max()} do not fit {dtype}; renumber them")
        if (parent is not None) != ("parent" in self.attributes):
            raise StoreError(f"{self._where}: patches have a parent window if and only if their stack has a parent")
        if self._image is None:
            group = self._file.create_group(self.name)
            self._image = _dataset(group, "image", image.shape, np.uint8)
            self._label = _dataset(group, "label", label.shape, dtype)
        elif image.shape != self._image.shape[1:]:
            raise StoreError(
                f"{self._where}: a patch of {image.shape} in a stack of {self._image.shape[1:]}; open another group"
            )
        objects = object_table(label[None], self._labels)
        objects["item"] = self.count
        self._objects.append(objects)
        self._origins.append(origin)
        if parent is not None:
            self._parents.append(tuple(parent))
        self.count += 1
        for dataset, array in ((self._image, image), (self._label, label.astype(dtype, copy=False))):
            dataset.resize(self.count, axis=0)
            dataset[self.count - 1] = array
        self._output.check()

    def keep_interactions(self, said: str) -> None:
        """Keep what people said of the objects, JSON as `zoo.store.reader.Store.interactions` gives it."""
        self._said = said

    def finish(self) -> None:
        """Write what is known only at the end; `StoreWriter` calls it."""
        group = self._file[self.name]
        group.attrs.update(self.attributes)
        group.create_dataset("origin", data=np.array(self._origins, np.int64))
        group.create_dataset("objects", data=np.concatenate(self._objects))
        if self._parents:
            group.create_dataset("parent", data=np.array(self._parents, PARENT_DTYPE))
        if self._said is not None:
            group.create_dataset("interactions", data=self._said)


def _dataset(group: Any, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
    sides = shape[:2]
    tile = sides if max(sides) <= _LARGEST_CHUNK else (min(_TILE, sides[0]), min(_TILE, sides[1]))
    # Level 1 writes stained tissue three times as fast as level 5, into 18 % more bytes, and reads as fast. Shuffling
    # bytes does nothing for uint8 images.
    return group.create_dataset(
        name,
        shape=(0, *shape),
        maxshape=(None, *shape),
        chunks=(1, *tile, *shape[2:]),
        dtype=dtype,
        compression=hdf5plugin.Zstd(clevel=1),
        fletcher32=True,  # without it a changed byte in a frame of zstd goes unnoticed
    )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

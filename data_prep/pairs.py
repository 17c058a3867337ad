"""Data sets of one image file and one file of labels each: files found by name, sizes compared, one shard a pair."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from data_prep.plan import Group, Patch, Shard, wrong_layout
from zoo.errors import DataError
from zoo.files import is_input
from zoo.images.reading import read_image

LabelReader = Callable[[Path], NDArray[np.int32]]
Describe = Callable[[Path], dict[str, Any]]


def find_pairs(
    source: Path, images: str, labels: str, layout: str, *, name: str = ".+", hint: str = "take the whole download"
) -> list[tuple[Path, Path]]:
    """Images with their labels, in order of the part of their names that they share, written `*` in the patterns.

    Args:
        source: folder with the raw data.
        images: pattern within `source` with one `*` in its last part, e.g. 'train/Images/*.png'.
        labels: the same for labels, e.g. 'train/Labels/*.mat'.
        layout: the expected layout, for errors.
        name: regular expression of the shared part; other files are none of the data set's.
        hint: what to do when a file is alone, for errors.

    Raises:
        DataError: no images, an image without labels or labels without an image.
    """
    by_name, labels_by_name = _by_name(source, images, name), _by_name(source, labels, name)
    if not by_name:
        raise wrong_layout(source, f"no {images}", layout)
    alone = sorted(by_name.keys() ^ labels_by_name.keys())
    if alone:
        have, lack = (images, labels) if alone[0] in by_name else (labels, images)
        problem = f"{have.replace('*', alone[0])} has no {lack.replace('*', alone[0])} ({len(alone)} alone); {hint}"
        raise wrong_layout(source, problem, layout)
    return [(by_name[name], labels_by_name[name]) for name in sorted(by_name)]


def pair_shard(
    stem: str, image: Path, label: Path, read: LabelReader, describe: Describe | None = None, **group: Any
) -> Shard:
    """Shard of one whole image.

    Args:
        stem: name of the file, the group and the slide.
        image: picture of 8 bits a channel.
        label: file with the labels of the image.
        read: makes an id for each pixel of it, (H, W) int32; a function that can be pickled.
        describe: reads further attributes from `label`.
        group: further fields of `Group`, at least `patient` and `split`.
    """
    says = {key: group[key] for key in ("patient", "split")} | group.get("attributes", {})
    return Shard(stem, (image, label), partial(_read, stem, image, label, read, describe, group), says=says)


def _read(
    stem: str, image: Path, label: Path, read: LabelReader, describe: Describe | None, group: dict[str, Any]
) -> Iterator[Group]:
    pixels, ids = read_image(image).pixels, read(label)
    if pixels.shape[:2] != ids.shape:
        (height, width), (rows, columns) = pixels.shape[:2], ids.shape
        raise DataError(
            f"{label}: {columns} x {rows} pixels, but {image.name} has {width} x {height}; one of the two files "
            "belongs to another image: download them again"
        )
    further = {"attributes": {**group.get("attributes", {}), **describe(label)}} if describe else {}
    yield Group(stem, [Patch(pixels, ids)], slide=stem, **{**group, **further})


def _by_name(source: Path, pattern: str, name: str) -> dict[str, Path]:
    before, after = (re.escape(part) for part in Path(pattern).name.split("*"))
    files = filter(is_input, source.glob(pattern))
    found = ((re.fullmatch(f"{before}({name}){after}", normalize("NFC", path.name)), path) for path in files)
    return {match[1]: path for match, path in found if match}

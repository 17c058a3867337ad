r"""Your own data: a folder of images and a folder of label images, matched by file name.

A label image holds one integer per pixel: 0 = background, each object its own id (--labels instances), or
1 = region and 255 = ignore (--labels region). PNG, TIFF, BMP, NPY, or JPEG and WebP (images only). A mask, 0 outside
and one other value inside (mostly 255), needs --binary: each piece of it becomes an object, pixels that touch at a
corner being one piece, or with --labels region its inside the region. Objects that touch in a mask can't be told apart.
What holds nothing but 0 and 255 is refused without --binary or --no-binary, since it could be either.
Every image is its own patient unless --patient-regex finds the patient in its name, e.g. '^(\w+)_' for 'anna_3.png'.
With folders train/, val/ and test/ in --source those are the splits; without them everything is 'train'.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from data_prep.arguments import positive
from data_prep.plan import Group, Patch, Plan, Shard, wrong_layout
from zoo.errors import DataError
from zoo.files import is_input, stem_of
from zoo.images.choice import Choice, add_choice_arguments, choice_of
from zoo.images.labels import LABEL_SUFFIXES, read_labels
from zoo.images.reading import IMAGE_SUFFIXES, read_image
from zoo.store.schema import LABELS, Labels

LAYOUT = """\
  images/NAME.png    and   labels/NAME.png
or, with splits,
  train/images/NAME.png    and   train/labels/NAME.png    (also val/ and test/)"""

SPLITS = ("train", "val", "test")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What a folder of files can't say itself."""
    parser.add_argument("--labels", choices=LABELS, default="instances", help="what label images hold")
    parser.add_argument(
        "--binary", action=argparse.BooleanOptionalAction, help="label images are masks; --no-binary: they are not"
    )
    parser.add_argument("--patient-regex", metavar="REGEX", help="its first group is the patient of a file name")
    parser.add_argument("--mpp", type=positive, help="micrometres per pixel; default: what each file says")
    parser.add_argument("--magnification", type=positive, help="objective power, e.g. 40; default: likewise")
    add_choice_arguments(parser)
    parser.add_argument("--dataset", help="name of the data set; default: name of the folder")
    parser.add_argument("--licence", default="unknown", help="licence of images and labels")


def plan(source: Path, args: argparse.Namespace) -> Plan:
    """One shard per image."""
    parts = [(split, source / split) for split in SPLITS if (source / split).is_dir()] or [("train", source)]
    shards = []
    choice = choice_of(args)
    for split, folder in parts:
        for image, label in _pairs(source, folder):
            name = stem_of(image)
            says = {"patient": patient_of(name, args.patient_regex), "split": split}
            about = says | {"mpp": args.mpp, "magnification": args.magnification}
            read = partial(_read, image, label, args.labels, args.binary, choice, about)
            stem = name if len(parts) == 1 else f"{split}-{name}"
            shards.append(Shard(stem, (image, label), read, says=says))
    name = args.dataset or source.resolve().name
    return Plan(name, args.licence, "unpublished", shards, labels=args.labels)


def patient_of(stem: str, regex: str | None) -> str:
    """First group of the expression in a file name without its ending; the whole name without an expression.

    Raises:
        DataError: the expression has no group, is malformed, or does not match.
    """
    if regex is None:
        return stem
    try:
        found = re.search(regex, stem)
        if found and found.group(1):
            return found.group(1)
    except (re.error, IndexError) as error:
        raise DataError(f"--patient-regex {regex!r}: {error}; write one with a group, e.g. '^(\\w+)_'") from error
    raise DataError(f"--patient-regex {regex!r} finds no patient in {stem!r}; change it")


def from_mask(mask: NDArray[np.int32], labels: Labels, path: Path) -> NDArray[np.int32]:
    """Labels (H, W) of a mask (H, W) with one value inside: ids of its 8-connected pieces from 1, or 1 for a region.

    Raises:
        DataError: several values besides 0; the message begins with `path`.
    """
    values = np.unique(mask[mask > 0])
    if len(values) > 1:
        raise DataError(
            f"{path}: holds {len(values)} values besides 0 ({values[0]} to {values[-1]}), so it is no mask: drop "
            "--binary if they are ids, or threshold the mask and save it as PNG"
        )
    inside = (mask > 0).astype(np.uint8)
    return np.asarray(cv2.connectedComponents(inside, connectivity=8)[1] if labels == "instances" else inside, np.int32)


def _pairs(source: Path, folder: Path) -> list[tuple[Path, Path]]:
    images, labels = _by_stem(folder / "images", IMAGE_SUFFIXES), _by_stem(folder / "labels", LABEL_SUFFIXES)
    if not images:
        raise wrong_layout(source, f"no images in {folder / 'images'}", LAYOUT)
    alone = sorted(images.keys() ^ labels.keys())
    if alone:
        raise wrong_layout(source, f"{alone[0]!r} ({len(alone)} in all) is not in both images/ and labels/", LAYOUT)
    return [(images[stem], labels[stem]) for stem in sorted(images)]


def _by_stem(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*")):
        if is_input(path) and path.suffix.lower() in suffixes:
            stem = stem_of(path)
            if stem in found:
                raise DataError(f"{path} and {found[stem]} have one name; rename one of them")
            found[stem] = path
    return found


def _read(
    image: Path, label: Path, labels: Labels, binary: bool | None, choice: Choice, about: dict[str, Any]
) -> Iterator[Group]:
    found, ids = read_image(image, choice), read_labels(label)
    mpp, notes = found.mpp_or(about["mpp"])
    for note in (*found.notes, *notes):
        print(f"zoo prep: {note}", file=sys.stderr)
    about = about | {"mpp": mpp, "magnification": about["magnification"] or found.magnification}
    pixels = found.pixels
    if pixels.shape[:2] != ids.shape:
        raise DataError(f"{label}: {ids.shape}, but {image.name} is {pixels.shape[:2]}; they must be equal")
    if binary is None and ids.max() == 255 and np.isin(ids, (0, 255)).all():
        meant = "one object with the id 255" if labels == "instances" else "pixels to ignore and no region"
        raise DataError(
            f"{label}: holds no values but 0 and 255; give --binary if it is a mask, --no-binary for {meant}"
        )
    if binary:
        ids = from_mask(ids, labels, label)
    yield Group(stem_of(image), [Patch(pixels, ids)], slide=stem_of(image), **about)

r"""Your own data: a folder of images and a folder of label images, matched by file name.

A label image holds one integer per pixel: 0 = background, each object its own id (--labels instances), or
1 = region and 255 = ignore (--labels region). PNG, TIFF, BMP, JPEG (images only) or NPY. Every image is its
own patient unless --patient-regex finds the patient in its name, e.g. '^(\w+)_' for 'anna_3.png'.
With folders train/, val/ and test/ in --source those are the splits; without them everything is 'train'.
"""

import argparse
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from data_prep.common import Group, Patch, Plan, Shard, wrong_layout
from zoo.data.image import IMAGE_SUFFIXES, read_image
from zoo.data.labels import LABEL_SUFFIXES, read_labels
from zoo.data.schema import LABELS
from zoo.errors import DataError

LAYOUT = """\
  images/NAME.png    and   labels/NAME.png
or, with splits,
  train/images/NAME.png    and   train/labels/NAME.png    (also val/ and test/)"""

SPLITS = ("train", "val", "test")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What a folder of files can't say itself."""
    parser.add_argument("--labels", choices=LABELS, default="instances", help="what label images hold")
    parser.add_argument("--patient-regex", metavar="REGEX", help="its first group is the patient of a file name")
    parser.add_argument("--mpp", type=float, help="micrometres per pixel; default: unknown")
    parser.add_argument("--magnification", type=float, help="objective power, e.g. 40; default: unknown")
    parser.add_argument("--dataset", help="name of the data set; default: name of the folder")
    parser.add_argument("--licence", default="unknown", help="licence of images and labels")


def plan(source: Path, args: argparse.Namespace) -> Plan:
    """One shard per image."""
    parts = [(split, source / split) for split in SPLITS if (source / split).is_dir()] or [("train", source)]
    shards = []
    for split, folder in parts:
        for image, label in _pairs(source, folder):
            patient = patient_of(image.stem, args.patient_regex)
            read = partial(_read, image, label, split, patient, args.mpp, args.magnification)
            stem = image.stem if len(parts) == 1 else f"{split}-{image.stem}"
            shards.append(Shard(stem, (image, label), read))
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
        if path.suffix.lower() in suffixes:
            if path.stem in found:
                raise DataError(f"{path} and {found[path.stem]} have one name; rename one of them")
            found[path.stem] = path
    return found


def _read(
    image: Path, label: Path, split: str, patient: str, mpp: float | None, magnification: float | None
) -> Iterator[Group]:
    pixels, ids = read_image(image), read_labels(label)
    if pixels.shape[:2] != ids.shape:
        raise DataError(f"{label}: {ids.shape}, but {image.name} is {pixels.shape[:2]}; they must be equal")
    yield Group(
        image.stem,
        [Patch(pixels, ids)],
        slide=image.stem,
        patient=patient,
        split=split,
        mpp=mpp,
        magnification=magnification,
    )

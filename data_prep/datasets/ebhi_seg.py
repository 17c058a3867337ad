"""EBHI-Seg: H&E images of colorectal biopsies, 224x224 px, six diagnoses.

Outlined is all glandular epithelium, or the lesion. --labels region (default) keeps it as one region,
--labels instances cuts it into its pieces (4-connected) of 100 px and more. The diagnosis is kept as attribute
'diagnosis'. One case has several images, also of several diagnoses: it is found in their names, and stands for the
patient. The publisher has no split: 'val' gets a fifth of the cases by a hash, 'test' none (--val-fraction,
--test-fraction). A copy with an index.tsv says the cases itself, and what it calls 'val' or 'test' stays so. The
publisher resized the images: micrometres per pixel are unknown. The licence is to be confirmed.

The folders are as in src/convert.py of https://github.com/dataset-ninja/ebhi-seg.
"""

import argparse
import csv
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from data_prep.pairs import find_pairs, pair_shard
from data_prep.plan import Plan, wrong_layout
from data_prep.splits import add_split_arguments, split_of
from zoo.errors import DataError
from zoo.images.labels import read_labels
from zoo.store.schema import LABELS, Labels

LAYOUT = """\
  Adenocarcinoma/image/*.png    and   Adenocarcinoma/label/*.png    (255 inside)
  and the same for the other diagnoses: High-grade IN, Low-grade IN, Normal, Polyp, Serrated adenoma
or, in one folder,
  index.tsv    with the columns name, class, case and split
  images/NAME.webp or .png      and   labels/NAME.png"""

CITATION = (
    "Shi et al., EBHI-Seg: A novel enteroscope biopsy histopathological hematoxylin and eosin image dataset for image "
    "segmentation tasks, Frontiers in Medicine 2023"
)
COLUMNS = ("name", "class", "case", "split")
SPLITS = ("train", "val", "test")
INSIDE = 128  # halfway to 255
SMALLEST = 100  # pixels of a piece


class BiopsyImage(NamedTuple):
    """One image and its mask; `split` is '' where nobody says it."""

    name: str
    image: Path
    label: Path
    diagnosis: str
    case: str
    split: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the outlines become, and the shares of the splits."""
    parser.add_argument("--labels", choices=LABELS, default="region", help="what outlines become (region)")
    add_split_arguments(parser, val=0.2, test=0)


def plan(source: Path, args: argparse.Namespace) -> Plan:
    """One shard per image."""
    found = _indexed(source) if (source / "index.tsv").is_file() else _published(source)
    read = partial(read_outlined, labels=args.labels)
    shards = [
        pair_shard(
            each.name,
            each.image,
            each.label,
            read,
            patient=each.case,
            split=each.split or split_of(each.case, args),
            attributes={"diagnosis": each.diagnosis},
        )
        for each in found
    ]
    return Plan("EBHI-Seg", "EBHI-Seg (to be confirmed)", CITATION, shards, labels=args.labels)


def case_of(stem: str) -> str:
    """The case in a name: 'GT2012149' in 'GT2012149-1-400-001', 'XC2012521' in 'GTxc2012521-2-400-001'."""
    case = stem.split("-")[0].upper()
    return case.removeprefix("GT") if case.startswith("GTXC") else case


def read_outlined(path: Path, labels: Labels) -> NDArray[np.int32]:
    """What a mask outlines, (H, W) int32: 1 for the region, or ids of its pieces from 1.

    Raises:
        DataError: unreadable, or no mask of 0 and 255.
    """
    mask = read_labels(path)
    if 0 < mask.max() < INSIDE or mask.max() > 255:
        raise DataError(f"{path}: values up to {mask.max()}, but 255 is inside; take the publisher's masks")
    inside = (mask >= INSIDE).astype(np.uint8)
    if labels == "region":
        return inside.astype(np.int32)
    _, pieces, about, _ = cv2.connectedComponentsWithStats(inside, connectivity=4)
    kept = about[:, cv2.CC_STAT_AREA] >= SMALLEST
    kept[0] = False
    ids: NDArray[np.int32] = np.where(kept, np.cumsum(kept), 0).astype(np.int32)[pieces]
    return ids


def _published(source: Path) -> list[BiopsyImage]:
    folders = sorted(path.parent.name for path in source.glob("*/image") if path.is_dir())
    if not folders:
        raise wrong_layout(source, "no folder 'image' in any folder of it, and no index.tsv", LAYOUT)
    return [
        BiopsyImage(
            f"{diagnosis.replace(' ', '-')}__{image.stem}", image, label, diagnosis, case_of(image.stem), split=""
        )
        for diagnosis in folders
        for image, label in find_pairs(source, f"{diagnosis}/image/*.png", f"{diagnosis}/label/*.png", LAYOUT)
    ]


def _indexed(source: Path) -> list[BiopsyImage]:
    path = source / "index.tsv"
    with path.open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    absent = [column for column in COLUMNS if not rows or not all(row.get(column) for row in rows)]
    if absent:
        raise DataError(f"{path}: no {absent[0]!r} in every line; its columns are {', '.join(COLUMNS)}")
    kind = "webp" if any((source / "images").glob("*.webp")) else "png"
    pairs = {image.stem: (image, label) for image, label in
             find_pairs(source, f"images/*.{kind}", "labels/*.png", LAYOUT)}  # fmt: skip
    alone = sorted(pairs.keys() ^ {row["name"] for row in rows})
    if alone:
        raise DataError(f"{path}: {alone[0]} has {'no line' if alone[0] in pairs else 'no image'}; take the whole copy")
    found = []
    for row in rows:
        name, split = row["name"], row["split"]
        if split not in SPLITS:
            raise DataError(f"{path}: the split {split!r} of {name} is none of {', '.join(SPLITS)}; correct it")
        found.append(BiopsyImage(name, *pairs[name], row["class"], row["case"], "" if split == "train" else split))
    return found

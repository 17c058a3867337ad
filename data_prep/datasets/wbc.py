"""White blood cells (Zheng et al. 2018): 300 images of 120 px and 100 of 300 px, each with nucleus and cytoplasm.

The data sets of github.com/zxaoyou/segmentation_WBC: its README.rst says what masks hold (nucleus white, cytoplasm
grey, background with red cells black) and what the class labels mean, its file list how files are named; the grey is
128 in github.com/JJGO/UniverSeg (example_data/wbc.py). Greys in between, which smoothing leaves, go to the nearest of
the three. One file a data set, 'wbc-dataset1.h5' and 'wbc-dataset2.h5', since the two look nothing alike.

A cell is nucleus and cytoplasm together (--target cell), or its nucleus alone, lobes of one cell being one object
(--target nucleus); the cell's type is kept as attribute 'kind'. The publisher gives neither patients nor a split: each
image counts as its own, the first 70 % of each data set train, 10 % validate and the rest test, and the stores say
'split by field'. --split test makes all of it test data.
"""

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from data_prep.plan import Group, Patch, Plan, Shard
from data_prep.white_cells import CITATION, LAYOUT, LICENCE, CellImage, find_images, read_cells

__all__ = ["LAYOUT", "add_arguments", "plan"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is an object, and what the images are for."""
    parser.add_argument("--target", choices=("cell", "nucleus"), default="cell", help="what an object is")
    parser.add_argument("--split", choices=("parts", "test"), default="parts", help="see above")


def plan(source: Path, args: argparse.Namespace) -> Plan:
    """One shard per data set, one group per image."""
    shards = []
    for number, images in find_images(source).items():
        files = [path for found in images for path in (found.image, found.mask)]
        labels = source / f"Class Labels of Dataset {number}.csv"
        files += [labels] if labels.is_file() else []
        shards.append(Shard(f"wbc-dataset{number}", files, partial(_read, images, args.target, args.split)))
    return Plan(f"WBC ({args.target})", LICENCE, CITATION, shards, split_unit="field")


def _read(images: list[CellImage], target: str, split: str) -> Iterator[Group]:
    for found in images:
        image, cells, nuclei = read_cells(found)
        yield Group(
            found.name,
            [Patch(image, cells if target == "cell" else cells * nuclei)],
            slide=found.name,
            patient=found.name,
            split="test" if split == "test" else found.split,
            attributes={"kind": found.kind} if found.kind else {},
        )

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

from data_prep.common import Group, Patch, Plan, Shard
from data_prep.white_cells import CITATION, LAYOUT, LICENCE, Sample, find_samples, read_sample

__all__ = ["LAYOUT", "add_arguments", "plan"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is an object, and what the images are for."""
    parser.add_argument("--target", choices=("cell", "nucleus"), default="cell", help="what an object is")
    parser.add_argument("--split", choices=("parts", "test"), default="parts", help="see above")


def plan(source: Path, args: argparse.Namespace) -> Plan:
    """One shard per data set, one group per image."""
    shards = []
    for number, samples in find_samples(source).items():
        files = [path for sample in samples for path in (sample.image, sample.mask)]
        labels = source / f"Class Labels of Dataset {number}.csv"
        files += [labels] if labels.is_file() else []
        shards.append(Shard(f"wbc-dataset{number}", files, partial(_read, samples, args.target, args.split)))
    return Plan(f"WBC ({args.target})", LICENCE, CITATION, shards, split_unit="field")


def _read(samples: list[Sample], target: str, split: str) -> Iterator[Group]:
    for sample in samples:
        image, cells, nuclei = read_sample(sample)
        yield Group(
            sample.name,
            [Patch(image, cells if target == "cell" else cells * nuclei)],
            slide=sample.name,
            patient=sample.name,
            split="test" if split == "test" else sample.split,
            attributes={"kind": sample.kind} if sample.kind else {},
        )

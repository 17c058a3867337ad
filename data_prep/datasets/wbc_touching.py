"""Synthetic canvases of touching white blood cells, as NuClick was trained on (Koohbanani et al. 2020, section IV-A).

Made of the single cells of 'wbc' (--source is the same): on each canvas lie 10 to 30 cells, bent, resized, turned and
blended in, each touching another one, on a background without white cells. The paper had such a background at hand;
here it is laid of soft-edged pieces of what surrounds the cells in their images. The two data sets are not mixed on a
canvas. Canvases for training, validation and test are made of other cells and other backgrounds: of the images that
'wbc' has in the same split. A seed and a canvas' number decide everything on it.
"""

import argparse
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from data_prep.plan import Group, Plan, Shard
from data_prep.smear import Cell, Ground, take_apart
from data_prep.touching import canvas
from data_prep.white_cells import CITATION, LAYOUT, LICENCE, CellImage, find_images, read_cells
from zoo.errors import ConfigError, DataError

__all__ = ["LAYOUT", "add_arguments", "plan"]

SPLITS = ("train", "val", "test")
# Small enough that several processes share the work, large enough that reading the cells again costs nothing.
PER_STORE = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many canvases of which size."""
    parser.add_argument("--canvases", type=int, default=2689, help="how many, of all splits; default: the paper's 2689")
    parser.add_argument("--size", type=int, default=512, help="pixels of a canvas' side; default: 512")
    parser.add_argument("--cells", type=int, nargs=2, default=[10, 30], metavar=("MIN", "MAX"), help="default: 10 30")
    parser.add_argument("--seed", type=int, default=0, help="another one makes other canvases; default: 0")


def plan(source: Path, args: argparse.Namespace) -> Plan:
    """Shards of up to 100 canvases, as many of each data set and split as it has images in proportion."""
    if args.canvases < 1 or args.seed < 0 or not 1 <= args.cells[0] <= args.cells[1]:
        raise ConfigError(
            f"--canvases {args.canvases}, --seed {args.seed}, --cells {args.cells}; needed are at least 1 canvas, "
            "a seed of 0 or more, and at least 1 cell up to a number that is not smaller"
        )
    data = find_images(source)
    total = sum(map(len, data.values()))
    shards = []
    for number, images in data.items():
        for split in SPLITS:
            part = [found for found in images if found.split == split]
            count = round(args.canvases * len(part) / total)
            for start in range(0, count, PER_STORE):
                stem = f"wbc-touching-dataset{number}-{split}-{start // PER_STORE:03}"
                which = range(start, min(start + PER_STORE, count))
                files = [path for found in part for path in (found.image, found.mask)]
                read = partial(_read, stem, part, which, args.size, (args.cells[0], args.cells[1]), args.seed)
                shards.append(Shard(stem, files, read))
    return Plan("WBC touching (synthetic)", LICENCE, CITATION, shards, split_unit="field")


def _read(
    stem: str, images: Sequence[CellImage], which: Sequence[int], size: int, number: tuple[int, int], seed: int
) -> Iterator[Group]:
    dataset, split = images[0].dataset, images[0].split
    cells, grounds = _library(images)
    seeds = [[seed, dataset, SPLITS.index(split), index] for index in which]
    yield Group(
        stem,
        (canvas(cells, grounds, size, number, np.random.default_rng(seed)) for seed in seeds),
        slide=stem,
        patient=f"dataset{dataset}-{split}",
        split=split,
        attributes={"single_cells": len(cells)},
    )


def _library(images: Sequence[CellImage]) -> tuple[list[Cell], list[Ground]]:
    cells: list[Cell] = []
    grounds: list[Ground] = []
    for found in images:
        image, label, _ = read_cells(found)
        found, ground = take_apart(image, label)
        cells += found
        grounds += [ground] if ground else []
    if not cells or not grounds:
        raise DataError(
            f"{images[0].image.parent}: {len(cells)} whole cells and {len(grounds)} backgrounds in the "
            f"{len(images)} images of '{images[0].split}'; take the whole download"
        )
    return cells, grounds

"""GlaS fields: 37 fields of colon tissue, stitched from 2x2 GlaS tiles; the region is all glands together.

The tiles of GlaS are neighbours; a table in the package says which. Complete fields only: 148 of the 165 images; the
other 17 are left out. A field is 1550x1044 px at 20x (0.62 um/px). At 10x (1.24 um/px) it is 775x522 and at 5x (2.48
um/px) 387x261: means over blocks of 2x2 and 4x4 pixels, without the last 2 columns at 5x, which fill no block. A label
pixel is gland if at least half of its block is. Glands cut by a seam are joined and counted (attribute `glands`); the
label is 1 for any gland and 0 elsewhere.

Splits are by patient, in three parts (attribute `part`), so that a guide network and the network that refines its
result train on different patients:
  part    train             val                test
  guide   9 (2, 9)          4 (1)              -             fields (patients)
  refine  10 (6, 10, 11)    3 (3)              -
  test    -                 -                  11 (4, 5, 7)
Files begin with their part. For the guide network name `guide-*.h5` and `test-*.h5` under `files`, for the refining one
`refine-*.h5` and `test-*.h5`; `*.h5` trains on both parts. Validation has benign and malignant fields in either part.
"""

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from data_prep.datasets import glas
from data_prep.datasets.glas import Tile
from data_prep.mosaic import shrink_region, stitch, stitch_labels
from data_prep.plan import Group, Patch, Plan, Shard
from zoo.errors import DataError
from zoo.images.blocks import shrink

LAYOUT = glas.LAYOUT
PART_OF = {
    **dict.fromkeys(("1", "2", "9"), "guide"),
    **dict.fromkeys(("3", "6", "10", "11"), "refine"),
    **dict.fromkeys(("4", "5", "7"), "test"),
}
VAL_PATIENTS = {"1", "3"}

TwoByTwo = tuple[tuple[Tile, Tile], tuple[Tile, Tile]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """At which magnification."""
    parser.add_argument("--magnification", type=int, choices=(20, 10, 5), default=10, help="default: 10")


def plan(source: Path, args: argparse.Namespace) -> Plan:
    """One shard per complete field."""
    shards = []
    for field, grid in complete_fields(glas.read_tiles(source)).items():
        raw = [path for row in grid for tile in row for path in (tile.image, tile.annotation)]
        read = partial(_read, field, grid, args.magnification)
        says = {"grade": grid[0][0].grade, "grade_2015": grid[0][0].grade_2015}
        shards.append(Shard(f"{PART_OF[grid[0][0].patient]}-{field}", raw, read, says=says))
    return Plan(f"GlaS fields ({args.magnification}x)", glas.LICENCE, glas.CITATION, shards, labels="region")


def complete_fields(tiles: dict[str, Tile]) -> dict[str, TwoByTwo]:
    """The 2x2 tiles of each complete field, by the field's name.

    Raises:
        DataError: a tile is missing, or Grade.csv gives it another patient than the table of fields.
    """
    fields: dict[str, dict[tuple[int, int], Tile]] = {}
    for name, place in glas.read_places().items():
        if name not in tiles:
            raise DataError(f"no {name}.bmp, a tile of {place.field}; download the data set again")
        if tiles[name].patient != place.patient:
            raise DataError(
                f"{name} is of patient {tiles[name].patient!r} in Grade.csv, but {place.field} is of patient "
                f"{place.patient!r}; take the publisher's Grade.csv"
            )
        fields.setdefault(place.field, {})[place.row, place.col] = tiles[name]
    return {
        name: ((field[0, 0], field[0, 1]), (field[1, 0], field[1, 1]))
        for name, field in fields.items()
        if len(field) == 4
    }


def split_of(patient: str) -> str:
    """'train', 'val' or 'test'."""
    if PART_OF[patient] == "test":
        return "test"
    return "val" if patient in VAL_PATIENTS else "train"


def _read(field: str, grid: TwoByTwo, magnification: int) -> Iterator[Group]:
    read = [[tile.read() for tile in row] for row in grid]
    images = [[image for image, _ in row] for row in read]
    labels = [[label for _, label in row] for row in read]
    sizes = {label.shape for row in labels for label in row}
    if len(sizes) > 1:
        raise DataError(
            f"{grid[0][0].image.parent}: the tiles of {field} ({', '.join(tile.name for row in grid for tile in row)}) "
            f"differ in size: {sorted(sizes)}; download the data set again"
        )
    factor = int(glas.MAGNIFICATION) // magnification
    glands = stitch_labels(labels)
    region = shrink_region(glands > 0, factor).astype(np.uint8)
    first = grid[0][0]
    yield Group(
        field,
        [Patch(shrink(stitch(images), factor), region)],
        slide=field,
        patient=first.patient,
        split=split_of(first.patient),
        mpp=glas.MPP * factor,
        magnification=magnification,
        attributes={
            "part": PART_OF[first.patient],
            "grade": first.grade,
            "grade_2015": first.grade_2015,
            "glands": int(glands.max()),
            "tiles": " ".join(tile.name for row in grid for tile in row),
        },
    )

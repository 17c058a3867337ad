"""GlaS (Warwick QU, MICCAI 2015): 165 images of H&E colon tissue, 20x, 0.62 um/px, every gland outlined.

The publisher's split is kept: 85 images 'train', 60 'testA', 20 'testB'. Both test parts become 'test'; the attribute
`part` says which. It is disjoint by field of the microscope, not by patient: 11 of the 16 patients have images on both
sides, so the stores declare `split_unit: field`.

A fifth of the training images (17 of 85) becomes 'val': all those of patients 7, 8, 9 and 11. So whole fields stay on
one side, and training and validation share no patient either. They are 8 benign and 9 malignant images of four of the
five finer grades, about as in the whole (37 and 48), and leave every grade to the training.

151 images are tiles of 38 larger fields: their `slide` (and `field`) is that field and their origin is their place in
it. The others are slides of their own. Labels are the publisher's, unchanged.
"""

import argparse
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_prep.plan import Group, Patch, Plan, Shard, wrong_layout
from zoo.errors import DataError
from zoo.images.labels import read_labels
from zoo.images.reading import read_image

FOLDER = "Warwick QU Dataset (Released 2016_07_08)"
LAYOUT = f"""\
  {FOLDER}/Grade.csv
  {FOLDER}/train_1.bmp, train_1_anno.bmp, ...
  {FOLDER}/testA_1.bmp, testA_1_anno.bmp, ...
  {FOLDER}/testB_1.bmp, testB_1_anno.bmp, ...
(--source may also be that folder itself)"""
PARTS = ("train", "testA", "testB")
LICENCE = "research only, no commercial use"
CITATION = (
    "Sirinukunwattana et al., Gland Segmentation in Colon Histology Images: The GlaS Challenge Contest, Medical Image "
    "Analysis 2017; Sirinukunwattana et al., A Stochastic Polygons Model for Glandular Structures in Colon Histology "
    "Images, IEEE TMI 2015"
)
MPP, MAGNIFICATION = 0.62, 20.0
VAL_PATIENTS = {"7", "8", "9", "11"}

COLUMNS = ("name", "patient ID", "grade (GlaS)", "grade (Sirinukunwattana et al. 2015)")


@dataclass(frozen=True)
class Tile:
    """One published image: its files and what Grade.csv says; `grade` is benign or malignant, `grade_2015` finer."""

    name: str
    image: Path
    annotation: Path
    patient: str
    grade: str
    grade_2015: str

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        """Image (H, W, 3) uint8 and glands (H, W) int32.

        Raises:
            DataError: the two differ in size, or one can't be read.
        """
        image, label = read_image(self.image).pixels, read_labels(self.annotation)
        if image.shape[:2] != label.shape:
            raise DataError(
                f"{self.annotation}: {label.shape}, but {self.image.name} is {image.shape[:2]}; "
                "they must be equal: download the data set again"
            )
        return image, label


@dataclass(frozen=True)
class TilePlace:
    """Where a tile lies in its field; rows and columns count from the top left."""

    field: str
    row: int
    col: int
    patient: str


def plan(source: Path, args: argparse.Namespace) -> Plan:
    """One shard per image."""
    places, shards = read_places(), []
    for tile in read_tiles(source).values():
        read = partial(_read, tile, places.get(tile.name))
        says = {"patient": tile.patient, "split": split_of(part_of(tile.name), tile.patient)}
        says |= {"grade": tile.grade, "grade_2015": tile.grade_2015}
        shards.append(Shard(tile.name, (tile.image, tile.annotation), read, says=says))
    return Plan("GlaS", LICENCE, CITATION, shards, split_unit="field")


def read_tiles(source: Path) -> dict[str, Tile]:
    """All images of the publisher's folder by name, e.g. 'testA_1'.

    Raises:
        DataError: a file is missing, or Grade.csv and the images don't belong together.
    """
    folder = source / FOLDER if (source / FOLDER).is_dir() else source
    names = {path.stem for path in folder.glob("*.bmp") if re.fullmatch(r"(train|testA|testB)_\d+(_anno)?", path.stem)}
    images = {name for name in names if not name.endswith("_anno")}
    for part in PARTS:
        if not any(name.startswith(part) for name in images):
            raise wrong_layout(source, f"no {part}_*.bmp in {folder}", LAYOUT)
    annotations = {name.removesuffix("_anno") for name in names - images}
    for name in sorted(images ^ annotations):
        missing = f"{name}.bmp" if name in annotations else f"{name}_anno.bmp"
        raise wrong_layout(source, f"{missing} is missing", LAYOUT)
    grades = read_grades(source, folder / "Grade.csv")
    for name in sorted(images ^ grades.keys()):
        gone = f"no {name}.bmp, but a line of it in Grade.csv" if name in grades else f"no {name} in Grade.csv"
        raise DataError(f"{folder}: {gone}; download the data set again")
    return {
        name: Tile(name, folder / f"{name}.bmp", folder / f"{name}_anno.bmp", *grades[name])
        for name in sorted(images, key=lambda name: (PARTS.index(part_of(name)), int(name.split("_")[1])))
    }


def read_grades(source: Path, path: Path) -> dict[str, tuple[str, str, str]]:
    """Patient, grade and finer grade of each image, from Grade.csv with any line ending and spaces around its cells.

    Raises:
        DataError: the file or a column is missing, or a line is incomplete.
    """
    if not path.is_file():
        raise wrong_layout(source, f"no {path}", LAYOUT)
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines) if any(cell.strip() for cell in row)]
    header = rows[0] if rows else []
    absent = [column for column in COLUMNS if column not in header]
    if absent:
        raise DataError(f"{path}: no column {absent[0]!r} among {header}; take the publisher's file")
    grades = {}
    for row in rows[1:]:
        if len(row) < len(header):
            raise DataError(f"{path}: the line {','.join(row)!r} is incomplete; take the publisher's file")
        name, patient, grade, grade_2015 = (row[header.index(column)] for column in COLUMNS)
        grades[name] = patient, grade, grade_2015
    return grades


def read_places() -> dict[str, TilePlace]:
    """TilePlace of each tile that has neighbours, from the table that comes with the package."""
    text = files("data_prep").joinpath("tables/glas_fields.csv").read_text()
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {
        row["tile"]: TilePlace(f"field_{int(row['field']):02}", int(row["row"]), int(row["col"]), row["patient"])
        for row in rows
    }


def part_of(name: str) -> str:
    """'train', 'testA' or 'testB'."""
    return name.split("_")[0]


def split_of(part: str, patient: str) -> str:
    """'train', 'val' or 'test' of an image of a publisher's part."""
    if part != "train":
        return "test"
    return "val" if patient in VAL_PATIENTS else "train"


def _read(tile: Tile, place: TilePlace | None) -> Iterator[Group]:
    image, label = tile.read()
    field = place.field if place else tile.name
    height, width = label.shape
    origin = (place.col * width, place.row * height) if place else (0, 0)
    part = part_of(tile.name)
    yield Group(
        tile.name,
        [Patch(image, label, origin)],
        slide=field,
        patient=tile.patient,
        split=split_of(part, tile.patient),
        mpp=MPP,
        magnification=MAGNIFICATION,
        attributes={"part": part, "field": field, "grade": tile.grade, "grade_2015": tile.grade_2015},
    )

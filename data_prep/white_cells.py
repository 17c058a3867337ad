"""Images of single white blood cells with masks of nucleus and cytoplasm: found, split and read."""

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from data_prep.pairs import find_pairs
from data_prep.plan import wrong_layout
from zoo.errors import DataError
from zoo.images.labels import read_labels
from zoo.images.reading import read_image

LAYOUT = """\
  Dataset 1/001.bmp ... 300.bmp    images
  Dataset 1/001.png ... 300.png    masks: nucleus 255, cytoplasm 128, background 0
  Class Labels of Dataset 1.csv    (may be missing)
  and the same for Dataset 2, which may be missing"""

LICENCE = "none stated by the publisher (others list the repository as GPL-3.0): ask before you redistribute"
CITATION = (
    "Zheng et al., Fast and Robust Segmentation of White Blood Cell Images by Self-supervised Learning, Micron 2018; "
    "acknowledge Jiangxi Tecom Science Corporation for Dataset 1 and the CellaVision blog for Dataset 2"
)

# Halfway between the three greys, since smoothed and recompressed masks hold others too.
CYTOPLASM, NUCLEUS = 64, 192
# A piece this much smaller than the largest one of its mask is a speck of such greys and no cell.
SPECK = 0.05
# Of a data set's images in the order of their names; the rest is 'test'.
TRAIN, VAL = 0.7, 0.1

_TYPES = {"1": "neutrophil", "2": "lymphocyte", "3": "monocyte", "4": "eosinophil", "5": "basophil"}


@dataclass(frozen=True)
class CellImage:
    """One image with its mask; `kind` is the type of the cell, '' where it is not told."""

    dataset: int
    image: Path
    mask: Path
    split: str
    kind: str

    @property
    def name(self) -> str:
        """Unique among all images, e.g. 'dataset1-001'."""
        return f"dataset{self.dataset}-{self.image.stem}"


def find_images(source: Path) -> dict[int, list[CellImage]]:
    """Samples of each data set that is there, by its number, in the order of their names.

    The first seven tenths are 'train', one tenth 'val' and the rest 'test': the publisher tells no patients, and
    images of one smear are more likely to be neighbours than to be far apart.

    Raises:
        DataError: neither data set is there, or an image or a mask is alone.
    """
    numbers = [number for number in (1, 2) if (source / f"Dataset {number}").is_dir()]
    if not numbers:
        raise wrong_layout(source, "neither 'Dataset 1' nor 'Dataset 2' in it", LAYOUT)
    return {number: _find(source, number) for number in numbers}


def read_cells(found: CellImage) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.bool_]]:
    """Image (H, W, 3), whole cells (H, W) int32 with ids from 1, and their nuclei (H, W) bool.

    Cells are the pieces (8-connected) of nucleus and cytoplasm together.

    Raises:
        DataError: a mask of another size, or without any cell.
    """
    image, grey = read_image(found.image).pixels, read_labels(found.mask)
    if grey.shape != image.shape[:2]:
        raise DataError(f"{found.mask}: {grey.shape}, but {found.image.name} is {image.shape[:2]}; download it again")
    if grey.max() < CYTOPLASM:
        raise DataError(
            f"{found.mask}: values up to {grey.max()}, so no cell; a mask holds 255 (nucleus) and 128 (cytoplasm)"
        )
    cells = _pieces(grey >= CYTOPLASM)
    return image, cells, (grey >= NUCLEUS) & (cells > 0)


def _find(source: Path, number: int) -> list[CellImage]:
    pairs = find_pairs(source, f"Dataset {number}/*.bmp", f"Dataset {number}/*.png", LAYOUT)
    kinds = _read_kinds(source / f"Class Labels of Dataset {number}.csv")
    images = []
    for place, (image, mask) in enumerate(pairs):
        part = (place + 0.5) / len(pairs)
        split = "train" if part < TRAIN else "val" if part < TRAIN + VAL else "test"
        images.append(CellImage(number, image, mask, split, kinds.get(image.stem.lstrip("0"), "")))
    return images


def _read_kinds(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8-sig") as stream:
        rows = [row for row in csv.reader(stream) if row][1:]
    try:
        return {number.strip(): _TYPES[kind.strip()] for number, kind in rows}
    except (ValueError, KeyError) as error:
        raise DataError(f"{path}: not rows of an image's number and a class of 1 to 5 ({error}); download it") from None


def _pieces(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    areas[0] = 0
    kept = areas >= SPECK * areas.max()
    kept[0] = False
    ids = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    cells: NDArray[np.int32] = ids[pieces]
    return cells

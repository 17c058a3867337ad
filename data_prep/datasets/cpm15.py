"""CPM-15: 15 H&E images, seven at 20x and eight at 40x, every nucleus outlined.

No split is published: all images get --split. Patients, micrometres per pixel and licence were found nowhere: each
image is its own patient, the rest stays unknown. In copies that circulate, images 04 and 05 are
swapped against their masks; where their sizes say so, they are paired rightly and a line tells.

Layout, encoding and magnifications: README_training.txt of the challenge (MICCAI 2015), copied in
data/MICCAI_competition_dataset of https://github.com/pengyzhang/cell_seg_matlab. A mask is text: `width height` in
its first line, then one id a line, row by row.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

from data_prep.pairs import find_pairs, pair_shard
from data_prep.plan import Plan
from zoo.errors import DataError
from zoo.images.labels import as_labels

LAYOUT = """\
  image01.png and image01_mask.txt to image15.png and image15_mask.txt    (image*_poly.png is not read)"""

CITATION = (
    "Vu et al., Methods for Segmentation and Classification of Digital Microscopy Tissue Images, "
    "Frontiers in Bioengineering and Biotechnology 2019"
)

MAGNIFICATION = {f"image{number:02}": 20 if number <= 7 else 40 for number in range(1, 16)}
SWAPPED = ("image04", "image05")

Pair = tuple[Path, Path]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The split that all images get."""
    parser.add_argument("--split", choices=("train", "val", "test"), default="train", help="split of all 15 images")


def plan(source: Path, args: argparse.Namespace) -> Plan:
    """One shard per image."""
    pairs = find_pairs(source, "image*.png", "image*_mask.txt", LAYOUT, name=r"\d+")
    shards = [
        pair_shard(
            image.stem,
            image,
            mask,
            read_mask,
            patient=image.stem,
            split=args.split,
            magnification=MAGNIFICATION.get(image.stem),
        )
        for image, mask in unswapped(pairs)
    ]
    return Plan("CPM-15", "unknown", CITATION, shards, split_unit="field")


def unswapped(pairs: list[Pair]) -> list[Pair]:
    """Pairs in which images 04 and 05 have the masks of their own size; says so where that changes something."""
    known = {image.stem: (image, mask) for image, mask in pairs if image.stem in SWAPPED}
    if len(known) < 2:
        return pairs
    (image4, mask4), (image5, mask5) = (known[stem] for stem in SWAPPED)
    size4, size5, mask_size4, mask_size5 = image_size(image4), image_size(image5), mask_size(mask4), mask_size(mask5)
    if size4 == mask_size4 or (size4, size5) != (mask_size5, mask_size4):
        return pairs
    Console(stderr=True).print(
        f"{image4.parent}: images 04 and 05 are swapped against their masks, as their sizes show; {image4.name} is "
        f"paired with {mask5.name} and {image5.name} with {mask4.name}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    changed = {image4: mask5, image5: mask4}
    return [(image, changed.get(image, mask)) for image, mask in pairs]


def image_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture, from its header.

    Raises:
        DataError: not a picture.
    """
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path}: not a readable image ({error}); download it again") from error


def mask_size(path: Path) -> tuple[int, int]:
    """Width and height of a mask, from its first line.

    Raises:
        DataError: the line is not two numbers above 0.
    """
    try:
        with path.open(encoding="ascii") as stream:
            width, height = (int(word) for word in stream.readline().split())
        if width > 0 and height > 0:
            return width, height
    except ValueError:
        pass
    raise DataError(f"{path}: the first line must be the width and the height of the image; download it again")


def read_mask(path: Path) -> NDArray[np.int32]:
    """Label map (H, W) int32 of a mask; ids are kept.

    Raises:
        DataError: too few or too many ids, or something that is no id.
    """
    width, height = mask_size(path)
    try:
        ids = np.array(path.read_text(encoding="ascii").split()[2:], dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise DataError(f"{path}: holds something that is no id ({error}); download it again") from error
    if len(ids) != width * height:
        raise DataError(f"{path}: {len(ids)} ids for {width} x {height} pixels; is it cut off? Download it again")
    return as_labels(ids.reshape(height, width), path)

"""Data Science Bowl 2018 (BBBC038v1, stage1_train): the images of stained tissue, every nucleus a mask.

The publisher names neither patients nor slides. Images are grouped by appearance instead: tiles that continue
each other are one field ('slide'), fields of one stain are one group ('patient'). The largest group trains,
the second tests, the others validate, so that no look of one split appears in another. Grey (fluorescence)
images are left out. One file, dsb2018.h5, holds them all.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_prep.appearance import fields, stains
from data_prep.plan import Group, Patch, Plan, Shard, wrong_layout
from zoo.errors import DataError
from zoo.files import is_input
from zoo.images.labels import read_labels
from zoo.images.reading import read_image

LAYOUT = """\
  ID/images/ID.png    the image
  ID/masks/*.png      one file per nucleus, 255 inside"""

CITATION = "Caicedo et al., Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl, \
Nature Methods 2019; image set BBBC038v1 of the Broad Bioimage Benchmark Collection"

# Embedded subset: large enough to train, tune and compare in minutes, small enough to live in a repository.
EMBEDDED_SIZE = (256, 320)
EMBEDDED_COUNTS = {"train": 14, "val": 4, "test": 10}


@dataclass(frozen=True)
class StainedImage:
    """One image with its mask files and, once known, its field and stain."""

    name: str
    image: Path
    masks: tuple[Path, ...]
    field: int = 0
    stain: int = 0

    @property
    def split(self) -> str:
        """The largest group trains, the second tests, the others validate."""
        return {0: "train", 1: "test"}.get(self.stain, "val")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Everything, or the part that the repository ships."""
    parser.add_argument(
        "--subset",
        choices=("all", "embedded"),
        default="all",
        help="'embedded': the few images in experiments/data, taken from the 256x320 tiles field by field",
    )


def plan(source: Path, args: argparse.Namespace) -> Plan:
    """One shard with one group per image."""
    embedded = args.subset == "embedded"
    tiles, images = [], []
    for tile in _tiles(source):
        image = read_image(tile.image).pixels
        grey = (image[..., 0] == image[..., 1]).all() and (image[..., 1] == image[..., 2]).all()
        if not grey and (not embedded or image.shape[:2] == EMBEDDED_SIZE):
            tiles.append(tile)
            images.append(image)
    if not tiles:
        raise wrong_layout(source, "no image of stained tissue", LAYOUT)
    tiles = [
        StainedImage(tile.name, tile.image, tile.masks, int(field), int(stain))
        for tile, field, stain in zip(tiles, fields(images), stains(images), strict=True)
    ]
    if embedded:
        tiles = _embedded(tiles)
    files = [path for tile in tiles for path in (tile.image, *tile.masks)]
    shard = Shard("dsb2018", files, partial(_read, tiles))
    return Plan("DSB2018 stained" + (" (embedded subset)" if embedded else ""), "CC0 1.0", CITATION, [shard])


def read_instances(masks: tuple[Path, ...], shape: tuple[int, int]) -> NDArray[np.int32]:
    """Instance map (H, W) int32 of one mask file per nucleus; ids count the files from 1.

    Raises:
        DataError: a mask of another size than the image.
    """
    label = np.zeros(shape, np.int32)
    for number, path in enumerate(masks, start=1):
        mask = read_labels(path)
        if mask.shape != shape:
            raise DataError(f"{path}: {mask.shape}, but its image is {shape}; download it again")
        label[mask > 0] = number
    return label


def _tiles(source: Path) -> Iterator[StainedImage]:
    folders = sorted(path for path in source.iterdir() if path.is_dir())
    if not folders:
        raise wrong_layout(source, "no folders in it", LAYOUT)
    for folder in folders:
        images, masks = (sorted(filter(is_input, folder.glob(f"{kind}/*.png"))) for kind in ("images", "masks"))
        if len(images) != 1 or not masks:
            problem = f"{folder.name} has {len(images)} images and {len(masks)} masks"
            raise wrong_layout(source, problem, LAYOUT)
        yield StainedImage(folder.name, images[0], tuple(masks))


def _embedded(tiles: list[StainedImage]) -> list[StainedImage]:
    """The tile with most nuclei of every field, then the second of every field, until each split is full."""
    rank: dict[str, int] = {}
    taken: dict[int, int] = {}
    for tile in sorted(tiles, key=lambda tile: (-len(tile.masks), tile.name)):
        rank[tile.name] = taken.get(tile.field, 0)
        taken[tile.field] = rank[tile.name] + 1
    ordered = sorted(tiles, key=lambda tile: (rank[tile.name], tile.field))
    return [
        tile
        for split, count in EMBEDDED_COUNTS.items()
        for tile in [tile for tile in ordered if tile.split == split][:count]
    ]


def _read(tiles: list[StainedImage]) -> Iterator[Group]:
    for tile in tiles:
        image = read_image(tile.image).pixels
        label = read_instances(tile.masks, image.shape[:2])
        yield Group(
            tile.name[:16],
            [Patch(image, label)],
            slide=f"field-{tile.field:02d}",
            patient=f"stain-{tile.stain}",
            split=tile.split,
        )

"""TNBC: H&E images of triple-negative breast cancer, 512x512 px, 40x, every nucleus outlined.

Patients are the first number of an image's name. The publisher has no split: the images of patients 3 and 7 become
'val', all others 'train' (--val, --test). Label images hold an id for each nucleus; those that are masks, with one
value besides 0, are cut into their connected pieces (8-connected), so that nuclei which touch are one. Micrometres per
pixel are what 40x usually means, 0.25.

The download is TNBC_NucleiSegmentation.zip of https://zenodo.org/records/1175282; its folders are as in
torch_em/data/datasets/histopathology/tnbc.py of https://github.com/constantinpape/torch-em. Copies with all images in
one folder are read too.
"""

import argparse
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_prep.datasets.folder import from_mask
from data_prep.pairs import find_pairs, pair_shard
from data_prep.plan import Plan, wrong_layout
from zoo.errors import ConfigError
from zoo.images.labels import read_labels

LAYOUT = """\
  Slide_01/01_1.png    and   GT_01/01_1.png    (patient and number of the image)
or, in one folder,
  images/01_1.png      and   labels/01_1.png   (images may be .webp)"""

CITATION = (
    "Naylor et al., Segmentation of Nuclei in Histopathology Images by Deep Regression of the Distance Map, "
    "IEEE TMI 2019"
)
NAME = r"\d+_\d+"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Who validates and tests."""
    about = "patients in '{}', by number ({})"
    parser.add_argument("--val", type=int, nargs="*", default=[3, 7], metavar="N", help=about.format("val", "3 7"))
    parser.add_argument("--test", type=int, nargs="*", default=[], metavar="N", help=about.format("test", "none"))


def plan(source: Path, args: argparse.Namespace) -> Plan:
    """One shard per image.

    Raises:
        ConfigError: a patient is in two splits, or has no image.
    """
    both = sorted({*args.val} & {*args.test})
    if both:
        raise ConfigError(f"--val and --test both name patient {both[0]}; name it once")
    pairs = _pairs(source)
    absent = sorted({*args.val, *args.test} - {patient_of(image) for image, _ in pairs})
    if absent:
        raise ConfigError(f"{source}: no image of patient {absent[0]}, whom --val or --test names")
    shards = []
    for image, label in pairs:
        patient = patient_of(image)
        split = "val" if patient in args.val else "test" if patient in args.test else "train"
        about = {"patient": f"{patient:02}", "split": split, "mpp": 0.25, "magnification": 40.0}
        shards.append(pair_shard(image.stem, image, label, read_nuclei, **about))
    return Plan("TNBC", "CC BY 4.0", CITATION, shards)


def patient_of(image: Path) -> int:
    """The first number of an image's name."""
    return int(image.stem.split("_")[0])


def read_nuclei(path: Path) -> NDArray[np.int32]:
    """Ids (H, W) int32 of a label image, as they are; of a mask those of its pieces.

    Raises:
        DataError: unreadable, or no label image.
    """
    ids = read_labels(path)
    return from_mask(ids, "instances", path) if len(np.unique(ids[ids > 0])) == 1 else ids


def _pairs(source: Path) -> list[tuple[Path, Path]]:
    if (source / "images").is_dir():
        kind = "webp" if any((source / "images").glob("*.webp")) else "png"
        return find_pairs(source, f"images/*.{kind}", "labels/*.png", LAYOUT, name=NAME)
    folders = sorted(path.name for path in source.glob("Slide_*") if re.fullmatch(r"Slide_\d+", path.name))
    if not folders:
        raise wrong_layout(source, "no folder Slide_01 and so on, nor images", LAYOUT)
    found = []
    for folder in folders:
        labels = folder.replace("Slide", "GT")
        found += find_pairs(source, f"{folder}/*.png", f"{labels}/*.png", LAYOUT, name=NAME)
    return found

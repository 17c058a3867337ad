"""MoNuSeg 2018: 30 training and 14 test images of H&E tissue, 40x, every nucleus outlined.

Two splits are in use, and results under them can't be compared:
  challenge  the challenge's own 30 training and 14 test images; 6 of the 30 become 'val'
  kumar      16 training and 14 test images of the 30 (Kumar et al. 2017); 4 of the 16 become 'val'
"""

import argparse
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_prep.annotations.aperio import regions
from data_prep.annotations.outlines import coordinates
from data_prep.plan import Group, Patch, Plan, Shard, wrong_layout
from data_prep.polygons import fill_polygon
from zoo.errors import DataError
from zoo.images.reading import read_image

LAYOUT = """\
  MoNuSeg 2018 Training Data/Tissue Images/TCGA-*.tif
  MoNuSeg 2018 Training Data/Annotations/TCGA-*.xml
  MoNuSegTestData/TCGA-*.tif and TCGA-*.xml   (not needed for --split kumar)"""

CITATION = (
    "Kumar et al., A Dataset and a Technique for Generalized Nuclear Segmentation for Computational "
    "Pathology, IEEE TMI 2017; Kumar et al., A Multi-Organ Nucleus Segmentation Challenge, IEEE TMI 2020"
)

# Organs as the publisher names them, by patient; 'liver' stands so in the publisher's table.
ORGANS = {
    "breast": "A7-A13E A7-A13F AR-A1AK AR-A1AS E2-A14V E2-A1B5 AC-A2FO AO-A0J2",
    "kidney": "B0-5698 B0-5710 B0-5711 HE-7128 HE-7129 HE-7130 2Z-A9J9 GL-6846 IZ-8196",
    "liver": "18-5592 21-5784 21-5786 38-6178 49-4488 50-5931",
    "prostate": "CH-5767 G9-6336 G9-6348 G9-6356 G9-6362 G9-6363 EJ-A46H HC-7209",
    "bladder": "DK-A2I6 G2-A2EK CU-A0YN ZF-A9R5",
    "colon": "AY-A8YK NH-A8F7 A6-6782",
    "stomach": "KB-A93J RD-A8N9",
    "lung": "44-2665 69-7764",
    "brain": "FG-A4MU HT-8564",
}
ORGAN_OF = {f"TCGA-{patient}": organ for organ, ids in ORGANS.items() for patient in ids.split()}

# One patient an organ, so that what is chosen on 'val' is chosen for many organs. Six of the seven organs:
# stomach stays out because it is not among the test organs either.
CHALLENGE_VAL = {
    "TCGA-E2-A14V",
    "TCGA-B0-5698",
    "TCGA-21-5784",
    "TCGA-CH-5767",
    "TCGA-G2-A2EK",
    "TCGA-AY-A8YK",
}
# Test images of Kumar et al.: two of each of the seven organs; the other 16 train, four of each of four organs.
# Some papers (HoVer-Net among them) shuffle the four organs anew and call that 'Kumar' too: not this one.
KUMAR_TEST = {
    *("TCGA-E2-A14V", "TCGA-E2-A1B5", "TCGA-B0-5698", "TCGA-B0-5710", "TCGA-21-5784", "TCGA-21-5786"),
    *("TCGA-CH-5767", "TCGA-G9-6362", "TCGA-DK-A2I6", "TCGA-G2-A2EK", "TCGA-AY-A8YK", "TCGA-NH-A8F7"),
    *("TCGA-KB-A93J", "TCGA-RD-A8N9"),
}
KUMAR_VAL = {"TCGA-AR-A1AS", "TCGA-HE-7130", "TCGA-50-5931", "TCGA-G9-6363"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which of the two splits."""
    parser.add_argument("--split", choices=("challenge", "kumar"), default="challenge", help="see above")


def plan(source: Path, args: argparse.Namespace) -> Plan:
    """One shard per image."""
    train = source / "MoNuSeg 2018 Training Data"
    images = [(path, train / "Annotations", "train") for path in _images(source, train / "Tissue Images")]
    if args.split == "challenge":
        test = source / "MoNuSegTestData"
        images += [(path, test, "test") for path in _images(source, test)]
    shards = []
    for image, folder, part in images:
        annotation = folder / f"{image.stem}.xml"
        if not annotation.is_file():
            raise wrong_layout(source, f"{image.name} has no {annotation}", LAYOUT)
        split = split_of(patient_of(image.stem), part, args.split)
        read = partial(_read, image, annotation, split)
        shards.append(Shard(image.stem, (image, annotation), read, says={"split": split}))
    return Plan(f"MoNuSeg ({args.split} split)", "CC BY-NC-SA 4.0", CITATION, shards)


def split_of(patient: str, part: str, split: str) -> str:
    """'train', 'val' or 'test' of a patient; `part` is the publisher's folder, 'train' or 'test'."""
    if split == "kumar":
        return "test" if patient in KUMAR_TEST else "val" if patient in KUMAR_VAL else "train"
    return "val" if part == "train" and patient in CHALLENGE_VAL else part


def patient_of(stem: str) -> str:
    """First three fields of a TCGA barcode, which name the patient."""
    return "-".join(stem.split("-")[:3])


def read_annotation(path: Path, shape: tuple[int, int]) -> NDArray[np.int32]:
    """Instance map (H, W) int32 of an Aperio XML; ids count the outlines from 1, a later one wins a pixel.

    Raises:
        DataError: not an XML file, or without any region.
    """
    label = np.zeros(shape, np.int32)
    for number, vertices in enumerate(_outlines(path), start=1):
        # Published masks come from MATLAB's poly2mask on the raw vertices, whose first pixel centre is (1, 1).
        vertices = vertices - 0.5
        x0, y0 = np.maximum(np.floor(vertices.min(axis=0)).astype(int) - 1, 0)
        x1, y1 = np.maximum(np.ceil(vertices.max(axis=0)).astype(int) + 1, 0)
        part = label[y0:y1, x0:x1]
        part[fill_polygon(vertices - (x0, y0), part.shape)] = number
    return label


def _outlines(path: Path) -> Iterator[NDArray[np.float64]]:
    found = list(regions(path))
    if not found:
        raise DataError(f"{path}: no Region in it; is this the Aperio XML with the outlines of nuclei?")
    for region in found:
        if region.points:
            yield coordinates(region.points, f"{path}: region {region.number}")


def _images(source: Path, folder: Path) -> list[Path]:
    found = sorted(path for path in folder.glob("*.tif") if re.match(r"TCGA-\w+-\w+", path.stem))
    if not found:
        raise wrong_layout(source, f"no TCGA-*.tif in {folder}", LAYOUT)
    return found


def _read(image: Path, annotation: Path, split: str) -> Iterator[Group]:
    pixels = read_image(image).pixels
    patient = patient_of(image.stem)
    yield Group(
        image.stem,
        [Patch(pixels, read_annotation(annotation, pixels.shape[:2]))],
        slide=image.stem,
        patient=patient,
        split=split,
        mpp=0.25,
        magnification=40,
        attributes={"organ": ORGAN_OF[patient]} if patient in ORGAN_OF else {},
    )

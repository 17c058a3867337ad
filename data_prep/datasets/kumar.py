"""Kumar: 30 H&E images of seven organs, 40x, every nucleus outlined, as HoVer-Net's authors distribute them.

Two splits are in use, and results under them can't be compared:
  hovernet  the folders: 16 training and 14 test images (8 of organs that are trained on, 6 of others)
  kumar     the 16 and 14 images of data set 'monuseg' with --split kumar, whatever folder they lie in
4 of the 16 training images, the same under both, become 'val'. Patients are known from the names (TCGA).

These are the images and outlines of MoNuSeg's training data in another format. Six images have been found to differ
from MoNuSeg's of the same name (https://github.com/vqdang/hover_net/issues/86): don't train on one and test on the
other. Layout, encoding and split: dataset.py (at commit 087d571) and data/README.md of
https://github.com/vqdang/hover_net; labels are `inst_map` of the .mat files. Licence: docs of
https://github.com/TissueImageAnalytics/tiatoolbox on its pretrained models.
"""

import argparse
from pathlib import Path

from data_prep.datasets import monuseg
from data_prep.inst_map import read_inst_map
from data_prep.pairs import find_pairs, pair_shard
from data_prep.plan import Plan

LAYOUT = """\
  train/Images/TCGA-*.tif        and   train/Labels/TCGA-*.mat
  test_same/Images/TCGA-*.tif    and   test_same/Labels/TCGA-*.mat
  test_diff/Images/TCGA-*.tif    and   test_diff/Labels/TCGA-*.mat    (Overlay/ is not read)"""

CITATION = (
    "Kumar et al., A Dataset and a Technique for Generalized Nuclear Segmentation for Computational Pathology, "
    "IEEE TMI 2017"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which of the two splits."""
    parser.add_argument("--split", choices=("hovernet", "kumar"), default="hovernet", help="see above")


def plan(source: Path, args: argparse.Namespace) -> Plan:
    """One shard per image."""
    shards = []
    for folder in ("train", "test_same", "test_diff"):
        for image, label in find_pairs(source, f"{folder}/Images/TCGA-*.tif", f"{folder}/Labels/TCGA-*.mat", LAYOUT):
            patient = monuseg.patient_of(image.stem)
            organ = {"organ": monuseg.ORGAN_OF[patient]} if patient in monuseg.ORGAN_OF else {}
            shards.append(
                pair_shard(
                    image.stem,
                    image,
                    label,
                    read_inst_map,
                    patient=patient,
                    split=split_of(patient, folder, args.split),
                    mpp=0.25,
                    magnification=40,
                    attributes=organ,
                )
            )
    return Plan(f"Kumar ({args.split} split)", "CC BY-NC-SA 4.0", CITATION, shards)


def split_of(patient: str, folder: str, split: str) -> str:
    """'train', 'val' or 'test' of a patient; `folder` is the publisher's."""
    if split == "kumar":
        return monuseg.split_of(patient, "train", "kumar")
    if folder != "train":
        return "test"
    return "val" if patient in monuseg.KUMAR_VAL else "train"

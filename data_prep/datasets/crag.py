"""CRAG: 213 H&E images of colorectal adenocarcinoma, 20x, every gland outlined.

The publisher's 173 training images become 'train' and the 40 of `valid` become 'test'; there is no 'val'. Which
images come from one patient is not published, so the split is declared to be by field, not by patient. Micrometres
per pixel and the licence were found nowhere: they stay unknown. Version 1 has five annotations without image.

Layout and counts: the data set's README, copied at https://github.com/XiaoyuZHK/CRAG-Dataset_Aug_ToCOCO (folders
in the download are `valid` and `Annotation`, as that repository's code reads them), which names
https://warwick.ac.uk/fac/cross_fac/tia/data/mildnet/ as the source.
"""

import argparse
from pathlib import Path

from data_prep.pairs import find_pairs, pair_shard
from data_prep.plan import Plan
from zoo.images.labels import read_labels

LAYOUT = """\
  train/Images/train_*.png    and   train/Annotation/train_*.png
  valid/Images/test_*.png     and   valid/Annotation/test_*.png    (Overlay/ is not read)"""

CITATION = (
    "Graham et al., MILD-Net: Minimal Information Loss Dilated Network for Gland Instance Segmentation in Colon "
    "Histology Images, Medical Image Analysis 2019"
)

SPLIT_OF = {"train": "train", "valid": "test"}


def plan(source: Path, args: argparse.Namespace) -> Plan:
    """One shard per image."""
    shards = [
        pair_shard(image.stem, image, label, read_labels, patient=image.stem, split=split, magnification=20)
        for folder, split in SPLIT_OF.items()
        for image, label in find_pairs(
            source,
            f"{folder}/Images/*.png",
            f"{folder}/Annotation/*.png",
            LAYOUT,
            hint="version 2 is complete: take it",
        )
    ]
    return Plan("CRAG", "unknown", CITATION, shards, split_unit="field")

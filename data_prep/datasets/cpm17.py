"""CPM-17: H&E images of tumours, every nucleus outlined, as HoVer-Net's authors distribute them.

Publisher's split: train and test; there is no 'val'. Patients are not published, so the split is declared to be
by field, not by patient. Magnification, micrometres per pixel and licence were found nowhere: they stay unknown.

Layout and encoding: https://github.com/vqdang/hover_net (dataset.py; README.md links the download) and
torch_em/data/datasets/histopathology/cpm.py of https://github.com/constantinpape/torch-em. Labels are `inst_map`
of the .mat files.
"""

import argparse
from pathlib import Path

from data_prep.inst_map import read_inst_map
from data_prep.pairs import find_pairs, pair_shard
from data_prep.plan import Plan

LAYOUT = """\
  train/Images/image_*.png    and   train/Labels/image_*.mat
  test/Images/image_*.png     and   test/Labels/image_*.mat    (Overlay/ is not read)"""

CITATION = (
    "Vu et al., Methods for Segmentation and Classification of Digital Microscopy Tissue Images, "
    "Frontiers in Bioengineering and Biotechnology 2019"
)


def plan(source: Path, args: argparse.Namespace) -> Plan:
    """One shard per image; names start with the split, since both folders count from image_00."""
    shards = []
    for split in ("train", "test"):
        for image, label in find_pairs(source, f"{split}/Images/*.png", f"{split}/Labels/*.mat", LAYOUT):
            stem = f"{split}-{image.stem}"
            shards.append(pair_shard(stem, image, label, read_inst_map, patient=stem, split=split))
    return Plan("CPM-17", "unknown", CITATION, shards, split_unit="field")

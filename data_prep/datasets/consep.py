"""CoNSeP: 41 H&E images of colorectal adenocarcinoma, 40x, 24,319 nuclei outlined and typed.

Publisher's split: 27 training and 14 test images; there is no 'val'. The images come from 16 patients, but which
from which is not published, so the split is declared to be by field. The type of each nucleus is kept as attribute
`object_types`, JSON of id -> type: 1 other, 2 inflammatory, 3 healthy epithelial, 4 dysplastic or malignant
epithelial, 5 fibroblast, 6 muscle, 7 endothelial.

Layout, scale and patients: docs/datasets/consep.md of https://github.com/kaiko-ai/eva. Encoding: `inst_map` and
`inst_type` of the .mat files, as the README.txt of the download says and dataset.py of
https://github.com/vqdang/hover_net reads them. Licence: https://github.com/Project-MONAI/MONAI/issues/5412.
"""

import argparse
from pathlib import Path

from data_prep.inst_map import read_inst_map, read_inst_types
from data_prep.pairs import find_pairs, pair_shard
from data_prep.plan import Plan

LAYOUT = """\
  Train/Images/train_*.png    and   Train/Labels/train_*.mat
  Test/Images/test_*.png      and   Test/Labels/test_*.mat    (Overlay/ is not read)"""

CITATION = (
    "Graham et al., HoVer-Net: Simultaneous Segmentation and Classification of Nuclei in Multi-Tissue Histology "
    "Images, Medical Image Analysis 2019"
)


def plan(source: Path, args: argparse.Namespace) -> Plan:
    """One shard per image."""
    shards = [
        pair_shard(
            image.stem,
            image,
            label,
            read_inst_map,
            read_inst_types,
            patient=image.stem,
            split=folder.lower(),
            mpp=0.25,
            magnification=40,
        )
        for folder in ("Train", "Test")
        for image, label in find_pairs(source, f"{folder}/Images/*.png", f"{folder}/Labels/*.mat", LAYOUT)
    ]
    return Plan("CoNSeP", "Apache-2.0", CITATION, shards, split_unit="field")

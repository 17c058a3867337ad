"""Samples and batches of stores: the datamodule, the kinds of samples and augmentations."""

from zoo.data.coarse import CoarseMasks
from zoo.data.datamodule import PatchDataModule
from zoo.data.datasets import Selection, StoreDataset, WholeImages
from zoo.data.disagreement import Disagreement
from zoo.data.objects import ObjectsInImages, ObjectWindows
from zoo.data.pairs import PairedImages
from zoo.data.resident import ResidentWindows
from zoo.data.resident_colours import Colours
from zoo.data.scaled import ScaledWindows
from zoo.data.windows import GridWindows, RandomWindows

__all__ = [
    "CoarseMasks",
    "Colours",
    "Disagreement",
    "GridWindows",
    "ObjectWindows",
    "ObjectsInImages",
    "PairedImages",
    "PatchDataModule",
    "RandomWindows",
    "ResidentWindows",
    "ScaledWindows",
    "Selection",
    "StoreDataset",
    "WholeImages",
]

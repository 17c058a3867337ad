"""Samples and batches of stores: the datamodule, its data sets and augmentations."""

from zoo.data.datamodule import PatchDataModule

__all__ = ["PatchDataModule"]

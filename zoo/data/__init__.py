"""Stores, the datamodule, transforms, label images."""

from zoo.data.datamodule import PatchDataModule
from zoo.data.store import Store
from zoo.data.writer import StoreWriter

__all__ = ["PatchDataModule", "Store", "StoreWriter"]

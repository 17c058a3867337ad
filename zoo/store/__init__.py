"""HDF5 stores of images and labels: read, written, checked, counted and drawn, without torch."""

from zoo.store.reader import Store
from zoo.store.writer import StoreWriter

__all__ = ["Store", "StoreWriter"]

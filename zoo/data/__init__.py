"""Stores, the datamodule, transforms, label images."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.data.datamodule import PatchDataModule
    from zoo.data.store import Store
    from zoo.data.writer import StoreWriter

__all__ = ["PatchDataModule", "Store", "StoreWriter"]

_HOME = {
    "PatchDataModule": "zoo.data.datamodule",
    "Store": "zoo.data.store",
    "StoreWriter": "zoo.data.writer",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: preparing data needs stores, but neither torch nor Lightning."""
    if name not in _HOME:
        raise AttributeError(f"module 'zoo.data' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

"""Plain torch networks; they know no Lightning, no files and no interactions."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.networks.deeplab import DeepLabV3Plus
    from zoo.networks.fcn8s import FCN8s
    from zoo.networks.hrnet_ocr import HRNetOCR
    from zoo.networks.nuclick import NuClickNet
    from zoo.networks.unet import Unet

__all__ = ["DeepLabV3Plus", "FCN8s", "HRNetOCR", "NuClickNet", "Unet"]

_HOME = {
    "DeepLabV3Plus": "deeplab",
    "FCN8s": "fcn8s",
    "HRNetOCR": "hrnet_ocr",
    "NuClickNet": "nuclick",
    "Unet": "unet",
}


def __getattr__(name: str) -> Any:
    """Import a network when it is first used: timm, of which most of them take backbones, takes seconds."""
    if name not in _HOME:
        raise AttributeError(f"module 'zoo.networks' has no attribute {name!r}")
    return getattr(importlib.import_module(f"zoo.networks.{_HOME[name]}"), name)

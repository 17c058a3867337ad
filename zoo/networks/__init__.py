"""Plain torch networks; they know no Lightning, no files and no interactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import lazily

if TYPE_CHECKING:
    from zoo.networks.deeplab import DeepLabV3Plus
    from zoo.networks.fcn8s import FCN8s
    from zoo.networks.hrnet_ocr import HRNetOCR
    from zoo.networks.late import LateUnet
    from zoo.networks.nuclick import NuClickNet
    from zoo.networks.segnet import SegNet
    from zoo.networks.two_branch_unet import TwoBranchUnet
    from zoo.networks.uctransnet import TwoBranchUCTransNet, UCTransNet
    from zoo.networks.unet import Unet

__all__ = [
    "DeepLabV3Plus",
    "FCN8s",
    "HRNetOCR",
    "LateUnet",
    "NuClickNet",
    "SegNet",
    "TwoBranchUCTransNet",
    "TwoBranchUnet",
    "UCTransNet",
    "Unet",
]

# timm, of which most of them take backbones, takes seconds.
__getattr__ = lazily(
    __name__,
    {
        "DeepLabV3Plus": "zoo.networks.deeplab",
        "FCN8s": "zoo.networks.fcn8s",
        "HRNetOCR": "zoo.networks.hrnet_ocr",
        "LateUnet": "zoo.networks.late",
        "NuClickNet": "zoo.networks.nuclick",
        "SegNet": "zoo.networks.segnet",
        "TwoBranchUCTransNet": "zoo.networks.uctransnet",
        "TwoBranchUnet": "zoo.networks.two_branch_unet",
        "UCTransNet": "zoo.networks.uctransnet",
        "Unet": "zoo.networks.unet",
    },
)

"""Plain torch networks; they know no Lightning, no files and no interactions."""

from zoo.networks.deeplab import DeepLabV3Plus
from zoo.networks.fcn8s import FCN8s
from zoo.networks.hrnet_ocr import HRNetOCR
from zoo.networks.nuclick import NuClickNet
from zoo.networks.unet import Unet

__all__ = ["DeepLabV3Plus", "FCN8s", "HRNetOCR", "NuClickNet", "Unet"]

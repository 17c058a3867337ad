"""Plain torch networks; they know no Lightning, no files and no interactions."""

from zoo.networks.nuclick import NuClickNet
from zoo.networks.unet import Unet

__all__ = ["NuClickNet", "Unet"]

"""Plain torch networks; they know no Lightning, no files and no interactions."""

from zoo.networks.nuclick import NuClickNet

__all__ = ["NuClickNet"]

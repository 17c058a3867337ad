"""LightningModules: the base of every method, and one file or folder a method."""

from zoo.methods.base import InteractiveMethod
from zoo.methods.classical import RegionGrowing, Watershed
from zoo.methods.nuclick import NuClick

__all__ = ["InteractiveMethod", "NuClick", "RegionGrowing", "Watershed"]

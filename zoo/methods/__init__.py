"""LightningModules: the base of every method, and one file or folder a method."""

from zoo.methods.base import InteractiveMethod
from zoo.methods.classical import RegionGrowing, Watershed
from zoo.methods.guidenet import GuideNet
from zoo.methods.nuclick import NuClick
from zoo.methods.refinenet import RefineNet

__all__ = ["GuideNet", "InteractiveMethod", "NuClick", "RefineNet", "RegionGrowing", "Watershed"]

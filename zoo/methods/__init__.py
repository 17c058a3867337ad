"""LightningModules: the base of every method, and one file or folder a method."""

from zoo.methods.base import InteractiveMethod
from zoo.methods.classical import ActiveContour, GrabCut, RandomWalker, RegionGrowing, Watershed
from zoo.methods.guidenet import GuideNet
from zoo.methods.nuclick import NuClick
from zoo.methods.refinenet import RefineNet

__all__ = [
    "ActiveContour",
    "GrabCut",
    "GuideNet",
    "InteractiveMethod",
    "NuClick",
    "RandomWalker",
    "RefineNet",
    "RegionGrowing",
    "Watershed",
]

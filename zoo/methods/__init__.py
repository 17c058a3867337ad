"""LightningModules: the base of every method, and one file or folder a method."""

from zoo.methods.base import InteractiveMethod
from zoo.methods.classical import ActiveContour, GrabCut, RandomWalker, RegionGrowing, Watershed
from zoo.methods.fbrs_base import FBRSBase
from zoo.methods.guidenet import GuideNet
from zoo.methods.ifcn import IFCN
from zoo.methods.nuclick import NuClick
from zoo.methods.refinenet import RefineNet
from zoo.methods.ritm import RITM
from zoo.methods.two_scales import TwoScales
from zoo.methods.zoomiseg import ZoomISEG

__all__ = [
    "IFCN",
    "RITM",
    "ActiveContour",
    "FBRSBase",
    "GrabCut",
    "GuideNet",
    "InteractiveMethod",
    "NuClick",
    "RandomWalker",
    "RefineNet",
    "RegionGrowing",
    "TwoScales",
    "Watershed",
    "ZoomISEG",
]

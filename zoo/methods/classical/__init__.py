"""Methods without parameters that are learned: what every trained method has to beat."""

from zoo.methods.classical.active_contour import ActiveContour
from zoo.methods.classical.base import ClassicalMethod, stain_map
from zoo.methods.classical.grabcut import GrabCut
from zoo.methods.classical.random_walker import RandomWalker
from zoo.methods.classical.region_growing import RegionGrowing
from zoo.methods.classical.watershed import Watershed

__all__ = ["ActiveContour", "ClassicalMethod", "GrabCut", "RandomWalker", "RegionGrowing", "Watershed", "stain_map"]

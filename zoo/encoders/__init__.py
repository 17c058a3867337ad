"""Interaction encoders: what makes guidance maps of clicks and strokes."""

from zoo.encoders.base import InteractionEncoder
from zoo.encoders.boxes import Boxes
from zoo.encoders.combined import Concat
from zoo.encoders.disk import Disks
from zoo.encoders.distance import DistanceEncoder, InverseDistance, TanhDistance, TruncatedDistance
from zoo.encoders.gaussian import Gaussians
from zoo.encoders.geodesic import GeodesicDistance
from zoo.encoders.inclusion_exclusion import InclusionExclusion
from zoo.encoders.nothing import NoGuidance
from zoo.encoders.pixel import Pixels
from zoo.encoders.stroke import StrokeRaster

__all__ = [
    "Boxes",
    "Concat",
    "Disks",
    "DistanceEncoder",
    "Gaussians",
    "GeodesicDistance",
    "InclusionExclusion",
    "InteractionEncoder",
    "InverseDistance",
    "NoGuidance",
    "Pixels",
    "StrokeRaster",
    "TanhDistance",
    "TruncatedDistance",
]

"""Methods as inference needs them: network, encoder and engine, without what trains them and without Lightning.

Each is the base of the LightningModule of the same name in `zoo.methods`, with the same weights.
"""

from zoo.segmenters.guidenet import GuideNet
from zoo.segmenters.interactive import InteractiveSegmenter
from zoo.segmenters.networked import NetworkedSegmenter
from zoo.segmenters.nuclick import NuClick
from zoo.segmenters.plain import IFCN, FBRSBase
from zoo.segmenters.refinenet import RefineNet
from zoo.segmenters.ritm import RITM
from zoo.segmenters.zoomiseg import ZoomISEG

__all__ = [
    "IFCN",
    "RITM",
    "FBRSBase",
    "GuideNet",
    "InteractiveSegmenter",
    "NetworkedSegmenter",
    "NuClick",
    "RefineNet",
    "ZoomISEG",
]

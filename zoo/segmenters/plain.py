"""Methods of image and guidance alone: iFCN (Xu et al. 2016) and the base of f-BRS (Sofiiuk et al. 2020)."""

from __future__ import annotations

from zoo.encoders.base import InteractionEncoder
from zoo.encoders.distance import TanhDistance, TruncatedDistance
from zoo.segmenters.interactive import InteractiveSegmenter


class FBRSBase(InteractiveSegmenter):
    """Image and distance maps of the clicks; see `zoo.methods.FBRSBase`, and `InteractiveSegmenter`."""

    def default_encoder(self) -> InteractionEncoder:
        """`tanh(2 d / 260)` to the nearest click of each sign."""
        return TanhDistance(r=260)


class IFCN(InteractiveSegmenter):
    """Image and distance maps of the clicks; see `zoo.methods.IFCN`, and `InteractiveSegmenter`."""

    def default_encoder(self) -> InteractionEncoder:
        """`min(d, 255) / 255` to the nearest click of each sign."""
        return TruncatedDistance(limit=255, unit=255)

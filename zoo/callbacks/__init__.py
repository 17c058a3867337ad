"""Lightning callbacks."""

from zoo.callbacks.predictions import PredictionWriter
from zoo.callbacks.samples import SampleLogger

__all__ = ["PredictionWriter", "SampleLogger"]

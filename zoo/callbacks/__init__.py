"""Lightning callbacks."""

from zoo.callbacks.budget import TimeBudget
from zoo.callbacks.checkpoints import BestCheckpoint, LastCheckpoint
from zoo.callbacks.predictions import PredictionWriter
from zoo.callbacks.samples import SampleLogger

__all__ = ["BestCheckpoint", "LastCheckpoint", "PredictionWriter", "SampleLogger", "TimeBudget"]

"""How methods are evaluated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

from torchmetrics import Metric

from zoo.data.batch import Batch
from zoo.inference.engine import Engine


class Protocol(ABC):
    """Evaluates engines on batches and keeps score.

    Attributes:
        name: as results and the leaderboard print it.
        samples: what a batch must hold: windows around `objects`, or whole `images`.
    """

    name: str
    samples: Literal["objects", "images"]

    @abstractmethod
    def metric(self) -> Metric:
        """A new metric, to which `evaluate` adds; its `compute` returns names and numbers."""

    @abstractmethod
    def evaluate(self, engine: Engine, batch: Batch, metric: Metric) -> object:
        """Evaluate one batch, add it to `metric` and return what happened."""

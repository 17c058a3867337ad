"""How methods are evaluated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

from numpy.typing import NDArray
from torchmetrics import Metric

from zoo.data.batch import Batch
from zoo.data.datasets import Kind
from zoo.evaluation.record import Record
from zoo.inference.engine import Engine


class Protocol(ABC):
    """Evaluates engines on batches and keeps score.

    Attributes:
        name: as results and the leaderboard print it.
        samples: kind of the samples that batches must hold, such as `zoo.data.ObjectWindows`.
        score: what a record's `score` is, as reports print it.
        unit: what a time is given for.
        interaction: what a user gives in a turn.
    """

    name: str
    samples: Kind
    score: str
    unit: Literal["interaction", "object", "image"]
    interaction: Literal["click", "scribble"] = "click"

    @abstractmethod
    def metric(self) -> Metric:
        """A new metric, to which `evaluate` adds; its `compute` returns names and numbers."""

    @abstractmethod
    def evaluate(self, engine: Engine, batch: Batch, metric: Metric) -> object:
        """Evaluate one batch, add it to `metric` and return what happened."""

    @abstractmethod
    def records(self, outcome: Any, batch: Batch) -> list[Record]:
        """One record a sample, of what `evaluate` returned for a batch."""

    @abstractmethod
    def predictions(self, outcome: Any) -> dict[int, NDArray[Any]]:
        """(H, W) label map or mask (255 inside) of each sample of a batch by its id, of what `evaluate` returned."""

    @property
    @abstractmethod
    def settings(self) -> Mapping[str, str | int | float | None]:
        """What decides the numbers, by name: results under different settings are never compared."""

    def brief(self) -> Protocol:
        """The same with less to do for each sample, for timing."""
        return self

    def stages(self, engine: Engine, batch: Batch, records: list[Record]) -> dict[str, list[Record]]:
        """What pictures of a batch show, by caption, given its records: by default its end."""
        return {"": records}

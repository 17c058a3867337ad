"""How methods are evaluated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from numpy.typing import NDArray
from torchmetrics import Metric

from zoo.data.batch import Batch
from zoo.data.datasets import Samples
from zoo.evaluation.record import Record
from zoo.inference.engine import Engine
from zoo.interactions import Kind

MetricT = TypeVar("MetricT", bound=Metric)
OutcomeT = TypeVar("OutcomeT")


@dataclass(frozen=True)
class Figure:
    """Pictures of one sample.

    Attributes:
        caption: of all of them.
        truth: captions and pictures that are the same whatever the method.
        panels: captions and pictures of the method.
    """

    caption: str
    truth: list[tuple[str, NDArray[Any]]]
    panels: list[tuple[str, NDArray[Any]]]


def resolution(engine: Engine, batch: Batch) -> float | None:
    """Micrometres per pixel of a batch's images for an engine; None where it works at any.

    Images of unknown resolution are taken for such that the engine works on.
    """
    return batch.mpp if batch.mpp is not None and engine.mpp is not None else engine.mpp


class Protocol(ABC, Generic[MetricT, OutcomeT]):
    """Evaluates engines on batches: `run` says what happened, `score` adds it to a metric.

    Images are resampled to what the engine works at, as in any session; interactions, masks and scores are in the
    images' own pixels.

    Attributes:
        name: as results and the leaderboard print it.
        samples: kind of the samples that batches must hold, such as `zoo.data.ObjectWindows`.
        ranked_by: what a record's `score` is, as reports print it.
        unit: what a time is given for.
        interaction: what a user gives in a turn.
    """

    name: str
    samples: Samples
    ranked_by: str
    unit: Literal["interaction", "object", "image"]
    interaction: Kind = "click"

    @abstractmethod
    def metric(self) -> MetricT:
        """A new metric, for `score`; its `compute` returns names and numbers."""

    @abstractmethod
    def run(self, engine: Engine, batch: Batch) -> OutcomeT:
        """Evaluate one batch and return what happened."""

    @abstractmethod
    def score(self, metric: MetricT, outcome: OutcomeT, batch: Batch) -> None:
        """Add what happened to a metric."""

    @abstractmethod
    def records(self, outcome: OutcomeT, batch: Batch) -> list[Record]:
        """One record a sample, of what `run` returned for a batch."""

    @abstractmethod
    def predictions(self, outcome: OutcomeT) -> dict[int, NDArray[Any]]:
        """(H, W) label map or mask (255 inside) of each sample of a batch by its id, of what `run` returned."""

    @property
    @abstractmethod
    def settings(self) -> Mapping[str, str | int | float | None]:
        """What decides the numbers, by name: results under different settings are never compared."""

    def brief(self) -> Protocol[MetricT, OutcomeT]:
        """The same with less to do for each sample, for timing."""
        return self

    def figures(self, engine: Engine, batch: Batch, record: Record) -> dict[str, Figure]:
        """Further pictures of one sample, by the names of their files, given its record: by default none.

        In a comparison the methods' pictures of one name stand together.
        """
        return {}

    def stages(self, engine: Engine, batch: Batch, records: list[Record]) -> dict[str, list[Record]]:
        """What pictures of a batch show, by caption, given its records: by default its end."""
        return {"": records}

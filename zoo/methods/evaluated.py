"""What trained and classical methods share: validation, test and prediction under a protocol."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from lightning import LightningModule
from numpy.typing import NDArray
from torch import Tensor

from zoo.data.batch import Batch
from zoo.errors import ConfigError
from zoo.evaluation.protocol import Protocol
from zoo.inference.engine import Engine

NO_PROTOCOL = "no protocol to evaluate under; set `protocol` in the experiment or `method.protocol`"


class EvaluatedModule(LightningModule):
    """A module whose `engine` is evaluated under a protocol.

    Attributes:
        protocol: how to evaluate; the command line sets it from the experiment's `protocol`.
        scores: the numbers of the last evaluation, in double precision.
    """

    def __init__(self) -> None:
        super().__init__()
        self.protocol: Protocol | None = None
        self.scores: dict[str, float] = {}

    @abstractmethod
    def engine(self) -> Engine:
        """The method as it is used at test time."""

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Evaluate one batch."""
        self._evaluate(batch)

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """Evaluate one batch; `outcome` is what the protocol returned."""
        return {"outcome": self._evaluate(batch)}

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[int, NDArray[Any]]:
        """Segment one batch as `test_step` does: (H, W) label maps or masks by sample id."""
        if self.protocol is None:
            raise ConfigError(NO_PROTOCOL)
        return self.protocol.predictions(self.protocol.evaluate(self.engine(), batch, self.protocol.metric()))

    def on_validation_epoch_start(self) -> None:
        """Forget earlier numbers."""
        self._start()

    def on_test_epoch_start(self) -> None:
        """Forget earlier numbers."""
        self._start()

    def on_validation_epoch_end(self) -> None:
        """Log `val/<metric>`."""
        self._finish("val")

    def on_test_epoch_end(self) -> None:
        """Log `test/<metric>`."""
        self._finish("test")

    def _start(self) -> None:
        if self.protocol is None:
            raise ConfigError(NO_PROTOCOL)
        self._metric = self.protocol.metric().to(self.device)

    def _evaluate(self, batch: Batch) -> object:
        assert self.protocol is not None
        return self.protocol.evaluate(self.engine(), batch, self._metric)

    def _finish(self, prefix: str) -> None:
        values: dict[str, Any] = self._metric.compute()
        self.scores = {name: float(value) for name, value in values.items() if _is_number(value)}
        self.log_dict(
            {f"{prefix}/{name}": value for name, value in self.scores.items()}, rank_zero_only=True, sync_dist=False
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, Tensor) and value.ndim == 0)

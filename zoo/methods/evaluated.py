"""What trained and classical methods share: validation, test and prediction under a protocol."""

from __future__ import annotations

from typing import Any

from lightning import LightningModule
from numpy.typing import NDArray
from torch import Tensor, nn

from zoo.data.batch import Batch
from zoo.data.datamodule import PatchDataModule
from zoo.errors import ConfigError, SplitError
from zoo.evaluation.protocol import Protocol
from zoo.inference.segmenter import Method

NO_PROTOCOL = "no protocol to evaluate under; set `protocol` in the experiment or `method.protocol`"


class EvaluatedModule(LightningModule, Method):
    """A module whose `engine` is evaluated under a protocol.

    Attributes:
        protocol: how to evaluate; the command line sets it from the experiment's `protocol`.
        scores: the numbers of the last evaluation, in double precision.
        patients: `data set: patient` of everybody the weights were trained on, as their checkpoint says; empty where
            it does not.
        segmenter: class that has the weights and the arguments of this one, but for those of training, and needs no
            Lightning; checkpoints name it. A subclass that segments in another way has one of its own, or none.
    """

    segmenter: type[nn.Module] | None = None

    def __init__(self) -> None:
        super().__init__()
        self.protocol: Protocol[Any, Any] | None = None
        self.scores: dict[str, float] = {}
        self.patients: frozenset[str] = frozenset()

    def on_fit_start(self) -> None:
        """Remember whom the weights learn from."""
        self.patients |= self._patients("train")

    def on_test_start(self) -> None:
        """Refuse to test on patients that the weights were trained on.

        Raises:
            SplitError: there are such patients.
        """
        refuse_overlap(self.patients, self._patients("test"), "the weights were trained on")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Record the patients."""
        checkpoint["patients"] = sorted(self.patients)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Recall the patients."""
        self.patients = frozenset(checkpoint.get("patients", ()))

    def _patients(self, split: str) -> frozenset[str]:
        datamodule = getattr(self.trainer, "datamodule", None)
        return datamodule.patients(split) if isinstance(datamodule, PatchDataModule) else frozenset()

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
        return self.protocol.predictions(self.protocol.run(self.engine(), batch))

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
        outcome = self.protocol.run(self.engine(), batch)
        self.protocol.score(self._metric, outcome, batch)
        return outcome

    def _finish(self, prefix: str) -> None:
        values: dict[str, Any] = self._metric.compute()
        self.scores = {name: float(value) for name, value in values.items() if _is_number(value)}
        # Of all processes' samples, so the same on each, where callbacks may look at them.
        self.log_dict({f"{prefix}/{name}": value for name, value in self.scores.items()}, sync_dist=False)


def refuse_overlap(trained: frozenset[str], used: frozenset[str], what: str) -> None:
    """Raise SplitError when patients that must be new are among those trained on; `what` says who did that."""
    both = sorted(trained & used)
    if both:
        raise SplitError(
            f"{len(both)} of {len(used)} patients, {', '.join(both[:3])} among them, are among those that {what}; "
            "use stores of other patients, or other weights"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, Tensor) and value.ndim == 0)

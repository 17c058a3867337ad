"""Evaluates one experiment YAML on the test split."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from rich.progress import Progress, TaskID

from zoo.comparison import provenance
from zoo.comparison.outline import outline
from zoo.comparison.result import DataSummary, Result
from zoo.config.cli import ZooCLI, run
from zoo.config.compose import Address
from zoo.data.batch import Batch, collate
from zoo.data.datasets import StoreDataset
from zoo.errors import ConfigError
from zoo.evaluation.protocol import Protocol
from zoo.evaluation.record import Record
from zoo.evaluation.speed import measure
from zoo.inference.backend import backend_of
from zoo.methods.evaluated import EvaluatedModule

OVERRIDES = {
    "trainer.logger": False,
    "trainer.callbacks": None,
    "trainer.enable_checkpointing": False,
    "trainer.enable_progress_bar": False,
    "trainer.enable_model_summary": False,
}


@dataclass
class Experiment:
    """An experiment ready to run, and afterwards what came of it.

    Attributes:
        address: the YAML, or the row of one.
        cli: model, data and trainer.
        records: one a sample, in the order of their ids; of several seeds those of the first.
        result: numbers and where they come from; of several seeds their means.
        seeds: the records of each seed, where it was run with several.
        called: name and title in place of its own.
    """

    address: Address
    cli: ZooCLI
    records: list[Record] = field(default_factory=list)
    result: Result | None = None
    seeds: list[list[Record]] = field(default_factory=list)
    called: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """`FILE` or `FILE/ROW`."""
        return self.called[0] if self.called else self.address.name

    @property
    def title(self) -> str:
        """As tables print it."""
        return self.called[1] if self.called else str(self.cli.config.get("title") or self.name)

    @property
    def every(self) -> list[list[Record]]:
        """The records of each seed."""
        return self.seeds or [self.records]

    @property
    def model(self) -> EvaluatedModule:
        """The method."""
        model = self.cli.model
        if not isinstance(model, EvaluatedModule):
            raise ConfigError(f"{self.address}: {type(model).__name__} can't be evaluated under a protocol")
        return model

    @property
    def protocol(self) -> Protocol[Any, Any]:
        """How it is evaluated."""
        protocol = self.model.protocol
        if protocol is None:
            raise ConfigError(
                f"{self.address}: no protocol; add `protocol: {{class_path: zoo.evaluation.Interactive}}`"
            )
        return protocol

    @property
    def dataset(self) -> StoreDataset:
        """The test samples."""
        dataset: StoreDataset = self.cli.datamodule.datasets["test"]
        return dataset

    def batch(self, sample_ids: list[int]) -> Batch:
        """Some test samples on the model's device."""
        return collate([self.dataset[i] for i in sample_ids]).to(self.model.device)


def prepare(address: Address, limit: int | None = None, overrides: Sequence[str] = ()) -> Experiment:
    """Build everything an experiment names, without running it.

    Args:
        address: the YAML, or a row of it: top-level `model`, `data`, `protocol` and, if wanted, `title`, `trainer`,
            `seed_everything`.
        limit: only the first so many test images.
        overrides: arguments that change it, as `zoo test` takes them: `--trainer.devices=2`.

    Raises:
        ConfigError: the file is missing, no YAML, or names what does not exist or does not fit.
        DataError: the stores can't be used.
    """
    arguments = [f"--{name}={'null' if value is None else str(value).lower()}" for name, value in OVERRIDES.items()]
    if limit is not None:
        arguments.append(f"--data.test_limit={limit}")
    with quiet():
        experiment = Experiment(address, run(["-c", str(address), *arguments, *overrides], run_verb=False))
        _ = experiment.protocol
        experiment.cli.datamodule.setup("test")
    return experiment


def evaluate(experiment: Experiment, command: str, progress: Progress | None = None) -> Experiment:
    """Test under the protocol, measure the time at batch size 1, and fill in records and result.

    Of several processes only the first gets a result.
    """
    cli, model = experiment.cli, experiment.model
    recorder = Recorder(experiment.protocol, progress, experiment.title)
    trainer: Trainer = cli.trainer
    trainer.callbacks.append(recorder)  # type: ignore[attr-defined]
    with quiet():
        # Between preparing this experiment and running it, others may have drawn from the generators.
        torch.manual_seed(int(cli.config.get("seed_everything") or 0))
        trainer.test(model, datamodule=cli.datamodule, verbose=False)
        model.to(trainer.strategy.root_device)
    experiment.records = recorder.records
    if not trainer.is_global_zero:
        return experiment  # so that nothing else runs while the first process is timed
    speed = measure(model.engine(), experiment.protocol, experiment.batch, len(experiment.dataset))
    experiment.result = Result(
        experiment=experiment.name,
        title=experiment.title,
        protocol=experiment.protocol.name,
        settings=dict(experiment.protocol.settings),
        data=_summary(experiment),
        metrics=dict(model.scores),
        command=command,
        seed=int(cli.config.get("seed_everything") or 0),
        device=provenance.device_name(model.device),
        versions=provenance.versions(),
        checkpoint=provenance.checkpoints(cli.config.model.init_args.as_dict()),
        config_hash=provenance.config_hash(cli),
        speed=speed,
        mpp=model.mpp,
        interaction=experiment.protocol.interaction,
        backend=backend_of(model),
        **provenance.commit(),
    )
    return experiment


class Recorder(Callback):
    """Keeps every test sample's record, from all processes, and shows progress."""

    def __init__(self, protocol: Protocol[Any, Any], progress: Progress | None = None, title: str = "") -> None:
        self.protocol, self.progress, self.title = protocol, progress, title
        self.records: list[Record] = []
        self._task: TaskID | None = None

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show a bar."""
        if self.progress is not None and trainer.is_global_zero:
            self._task = self.progress.add_task(self.title, total=int(sum(trainer.num_test_batches)))

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep a batch's records, and of its masks the outlines, which are small."""
        masks = self.protocol.predictions(outputs["outcome"])
        size = tuple(batch.image.shape[-2:])
        for record in self.protocol.records(outputs["outcome"], batch):
            mask = masks.get(record.sample_id)
            if mask is not None and mask.shape == size:  # of a finer scale, it would lie elsewhere
                record = replace(record, outline=outline(mask))
            self.records.append(record)
        if self.progress is not None and self._task is not None:
            self.progress.advance(self._task)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gather from all processes; samples that pad the last batch count once."""
        if trainer.world_size > 1:
            parts: list[list[Record]] = [[] for _ in range(trainer.world_size)]
            torch.distributed.all_gather_object(parts, self.records)
            self.records = [record for part in parts for record in part]
        unique = {record.sample_id: record for record in self.records}
        self.records = [unique[i] for i in sorted(unique)]


@contextmanager
def quiet() -> Iterator[None]:
    """Without Lightning's greetings and its hints on loader workers and on its own deprecated calls."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\).*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _summary(experiment: Experiment) -> DataSummary:
    dataset = experiment.dataset
    stores = {store.path: store for store, _ in dataset.sources}.values()
    first = next(iter(stores)).info
    places = [dataset.describe(record.sample_id) for record in experiment.records]
    sessions = experiment.model.scores.get("sessions")
    return DataSummary(
        dataset=", ".join(sorted({store.info.dataset for store in stores})),
        split=dataset.split,
        split_unit="field" if any(store.info.split_unit == "field" for store in stores) else first.split_unit,
        licence=", ".join(sorted({store.info.licence for store in stores})),
        citation="; ".join(sorted({store.info.citation for store in stores})),
        checksum=provenance.data_checksum(stores),
        limit=experiment.cli.datamodule.test_limit,
        patients=len({place["patient"] for place in places}),
        images=len({record.image_id for record in experiment.records}),
        objects=int(sessions) if sessions else sum(len(record.interactions) for record in experiment.records),
        samples=provenance.samples_digest(dataset),
    )

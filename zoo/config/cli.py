"""`zoo fit|validate|test|predict`: Lightning's command line with an evaluation protocol."""

from __future__ import annotations

import logging
import warnings
from argparse import ArgumentError
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning import LightningModule, Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from zoo.callbacks.backend import EvaluatedBackend
from zoo.callbacks.origin import Origin
from zoo.callbacks.predictions import PredictionWriter
from zoo.callbacks.weights import TestedWeights
from zoo.config.action import ComposedFile, last_named, named
from zoo.config.callbacks import check_unused, training_callbacks
from zoo.config.ending import summary
from zoo.config.loggers import into_one_folder
from zoo.config.messages import NO_TYPE_FITS, readable
from zoo.config.processes import AFTERWARDS, LAUNCHER, explain, is_lost
from zoo.config.runs import CHECKPOINTS, CONFIG, WHICH, is_run
from zoo.data.datamodule import PatchDataModule
from zoo.errors import ConfigError, ProcessLostError
from zoo.evaluation.protocol import Protocol
from zoo.inference.backend import Backend

# What a user can do nothing about. Lightning can't know that the datamodule skips what a killed training has seen, and
# that samples have their numbers.
WARNINGS = (
    "LightningCLI's args parameter",
    "You're resuming from a checkpoint that ended before the epoch ended",
    r".*isinstance\(treespec, LeafSpec\)",
    ".*does not have many workers",
    "Checkpoint directory .* exists and is not empty",
    "Couldn't infer the batch indices",
    # Metrics are gathered where they are computed.
    ".*sync_dist=True.*",
    # Of the other logger of the same run.
    "Experiment logs directory .* exists and is not empty",
)
EVALUATING = ("validate", "test", "predict")
VERBS = ("fit", *EVALUATING)


class RunConfig(SaveConfigCallback):
    """Saves the experiment beside the logs, and a training's in its folder too, where it is found with its weights.

    A training's only after its first step: one that fails before leaves nothing that is taken for a description of
    weights, neither in a new folder nor in that of a training which it was to continue.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Save what is evaluated."""
        if stage != "fit":
            super().setup(trainer, pl_module, stage)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save what is trained, once."""
        super().setup(trainer, pl_module, "fit")

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write the training's."""
        if stage == "fit":
            folder = Path(trainer.default_root_dir)
            folder.mkdir(parents=True, exist_ok=True)
            self.parser.save(self.config, folder / CONFIG, skip_none=False, overwrite=True, multifile=False)


class ZooCLI(LightningCLI):
    """LightningCLI whose experiments also name a `protocol`, which the model is evaluated under."""

    def __init__(self, *classes: Any, **kwargs: Any) -> None:
        self.experiment = last_named(kwargs.get("args")) or "experiment"
        super().__init__(*classes, **kwargs)

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        """Lightning's parser, but for what `-c` takes."""
        parser = self.parser_class(**kwargs)
        parser.add_argument("-c", "--config", action=ComposedFile, help="experiment: FILE.yaml or FILE.yaml::ROW")
        return parser

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add `title`, `protocol`, `threads`, `compile` and `backend`."""
        parser.add_argument(
            "--title", type=str | None, default=None, help="the experiment in tables; default: its file"
        )
        parser.add_subclass_arguments(Protocol, "protocol", required=False)
        parser.add_argument("--threads", type=int | None, default=None, help="threads of the CPU; default: all cores")
        parser.add_argument(
            "--compile", type=bool, default=False, help="train the network as torch.compile makes it; for accelerators"
        )
        parser.add_argument(
            "--backend", type=Backend, default="torch", help="what runs the network, but in training: torch, openvino"
        )

    def before_instantiate_classes(self) -> None:
        """Set the number of threads, and find the checkpoint to go on from."""
        self._find_checkpoint()
        threads = self._value("threads", self.config)
        if threads is not None:
            torch.set_num_threads(threads)

    def instantiate_classes(self) -> None:
        """Give the protocol to the model, and its kind of samples to the data."""
        super().instantiate_classes()
        protocol = self._value("protocol", self.config_init)
        if protocol is not None:
            self.model.protocol = protocol
            self.datamodule.evaluated = protocol.samples
        if self.subcommand == "fit" and self._value("compile", self.config_init):
            self._compile()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Everything into one folder; logs to CSV files and TensorBoard when the experiment names no logger."""
        folder, given = self._folder(), self._value("trainer", self.config_init)
        kwargs.setdefault("default_root_dir", str(folder))
        if given.get("logger") is None:
            kwargs.setdefault("logger", [TensorBoardLogger(folder), CSVLogger(folder)])
        if self.subcommand == "fit":
            kwargs["callbacks"] = training_callbacks(given)
        trainer = super().instantiate_trainer(**kwargs)
        into_one_folder(trainer.loggers, folder)
        ours: list[Callback] = [TestedWeights(folder / CHECKPOINTS)] if self.subcommand in EVALUATING else []
        if self.subcommand == "predict":
            ours.append(PredictionWriter(folder / "predictions"))
        backend = self._value("backend", self.config_init)
        if self.save_config_callback and self.subcommand in ("fit", "validate", "test"):
            given_config = self._parser(self.subcommand).dump(self.config[self.subcommand], skip_validation=True)
            ours.append(Origin(yaml.safe_load(given_config)))
        if backend != "torch" and self.subcommand != "fit":
            ours.append(EvaluatedBackend(backend))
        trainer.callbacks += ours  # type: ignore[attr-defined]
        for callback in trainer.checkpoint_callbacks:
            if not isinstance(callback, ModelCheckpoint):
                continue
            # Lightning would put them into a new folder at every start; a killed training has to find its last one.
            callback.dirpath = callback.dirpath or str(folder / CHECKPOINTS)
            if self.subcommand == "fit" and not self._value("ckpt_path", self.config_init):
                check_unused(Path(callback.dirpath))
        return trainer

    def after_fit(self) -> None:
        """Say where the two checkpoints are and how the training ended."""
        if self.trainer.is_global_zero:
            print("\n".join(summary(self.trainer)))

    def _compile(self) -> None:
        """Have the network compiled at its first batch; its weights keep their names."""
        network = getattr(self.model, "network", None)
        if not isinstance(network, torch.nn.Module):
            raise ConfigError(f"{type(self.model).__name__} has no network to compile; leave out `compile`")
        network.compile()

    def _parse_ckpt_path(self) -> None:
        """Nothing: the experiment says what the model is, a checkpoint only what it has learned.

        Lightning would take the model's arguments from the file, and a refiner or a threshold that was asked for would
        not be heard. A file of another encoder or network is refused when it is loaded.
        """

    def _find_checkpoint(self) -> None:
        """Put the file's path in the place of `--ckpt_path last` or `best`."""
        name = self._value("ckpt_path", self.config) if self.subcommand else None
        if name is None:
            return
        folder = self._folder() / CHECKPOINTS
        path = folder / f"{name}.ckpt" if name in WHICH else Path(name)
        if not path.is_file():
            raise ConfigError(f"--ckpt_path {name}: there is no {path}; `last` and `best` mean those in {folder}")
        self.config[self.subcommand]["ckpt_path"] = str(path)

    def _folder(self) -> Path:
        """Where results go: the experiment's folder, or one in `runs` that is named after its file."""
        folder = self._value("trainer", self.config).get("default_root_dir")
        return Path(folder or Path("runs") / self.experiment)

    def _value(self, name: str, config: Any) -> Any:
        return config[self.subcommand].get(name) if self.subcommand else config.get(name)


class ReadCLI(ZooCLI):
    """Reads and checks an experiment; makes nothing of it."""

    def _set_seed(self) -> None:
        """Nothing."""

    def before_instantiate_classes(self) -> None:
        """Nothing."""

    def instantiate_classes(self) -> None:
        """Nothing."""


def run(args: Any, run_verb: bool = True, kind: type[ZooCLI] = ZooCLI) -> ZooCLI:
    """Run Lightning's command line on `args`: a list of strings, or a mapping when `run_verb` is False.

    With `run_verb` False nothing is run: the model, the data and the trainer are made and returned; with `ReadCLI` they
    are not made, but `config` says what they would be.

    Raises:
        ConfigError: a file is missing or not YAML, a key is unknown, or a value does not fit.
        ProcessLostError: another process of the same training or evaluation was killed.
    """
    for message in WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(_no_tips)
    logging.getLogger(LAUNCHER).addFilter(explain)
    quiet: dict[str, Any] = {"exit_on_error": False}
    if isinstance(args, list) and len(args) > 1 and args[0] in EVALUATING and is_run(Path(args[1])):
        args = [args[0], "-c", *args[1:]]
    try:
        return kind(
            LightningModule,
            PatchDataModule,
            subclass_mode_model=True,
            save_config_callback=RunConfig if run_verb else None,
            parser_kwargs={**quiet, **dict.fromkeys(VERBS, quiet)} if run_verb else quiet,
            save_config_kwargs={"overwrite": True},
            trainer_defaults={"inference_mode": False},
            auto_configure_optimizers=False,
            seed_everything_default=0,
            args=args,
            run=run_verb,
        )
    except ArgumentError as error:
        raise ConfigError(f"{_source(args)}: {readable(str(error))}") from None
    except MisconfigurationException as error:
        raise ConfigError(f"{_source(args)}: {error}") from None
    except ValueError as error:
        # What a class raises when it is made reaches us in the same wrapping, but as another error.
        if NO_TYPE_FITS not in str(error):
            raise
        raise ConfigError(f"{_source(args)}: {readable(str(error))}") from None
    except RuntimeError as error:
        if not is_lost(error):
            raise
        raise ProcessLostError(f"another process does not answer any more: {AFTERWARDS}") from None


def _no_tips(record: logging.LogRecord) -> bool:
    """Whether a line of Lightning's is more than an advertisement."""
    return "Tip:" not in record.getMessage()


def _source(args: Any) -> str:
    """The experiment files that the arguments name."""
    return ", ".join(named(args)) or "arguments"

"""`zoo fit|validate|test|predict`: Lightning's command line with an evaluation protocol."""

from __future__ import annotations

import logging
import warnings
from argparse import ArgumentError
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from zoo.callbacks.predictions import PredictionWriter
from zoo.config.action import ComposedFile, last_named, named
from zoo.config.messages import NO_TYPE_FITS, readable
from zoo.data.datamodule import PatchDataModule
from zoo.errors import ConfigError
from zoo.evaluation.protocol import Protocol

# What a user can do nothing about. Lightning can't know that the datamodule skips what a killed training has seen, and
# that samples have their numbers.
WARNINGS = (
    "LightningCLI's args parameter",
    "You're resuming from a checkpoint that ended before the epoch ended",
    r".*isinstance\(treespec, LeafSpec\)",
    ".*does not have many workers",
    "Checkpoint directory .* exists and is not empty",
    "Couldn't infer the batch indices",
)
VERBS = ("fit", "validate", "test", "predict")


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
        """Add `title`, `protocol` and `threads`."""
        parser.add_argument(
            "--title", type=str | None, default=None, help="the experiment in tables; default: its file"
        )
        parser.add_subclass_arguments(Protocol, "protocol", required=False)
        parser.add_argument("--threads", type=int | None, default=None, help="threads of the CPU; default: all cores")

    def before_instantiate_classes(self) -> None:
        """Set the number of threads."""
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

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Everything into one folder; logs to CSV files and TensorBoard when the experiment names no logger."""
        folder = self._folder()
        kwargs.setdefault("default_root_dir", str(folder))
        if self._value("trainer", self.config_init).get("logger") is None:
            kwargs.setdefault("logger", [TensorBoardLogger(folder), CSVLogger(folder)])
        trainer = super().instantiate_trainer(**kwargs)
        if self.subcommand == "predict":
            trainer.callbacks.append(PredictionWriter(folder / "predictions"))  # type: ignore[attr-defined]
        for callback in trainer.checkpoint_callbacks:
            if not isinstance(callback, ModelCheckpoint):
                continue
            # Lightning would put them into a new folder at every start; a killed training has to find its last one.
            callback.dirpath = callback.dirpath or str(folder / "checkpoints")
            if self.subcommand == "fit" and not self._value("ckpt_path", self.config_init):
                _check_unused(Path(callback.dirpath))
        return trainer

    def _folder(self) -> Path:
        """Where results go: the experiment's folder, or one in `runs` that is named after its file."""
        folder = self._value("trainer", self.config_init).get("default_root_dir")
        return Path(folder or Path("runs") / self.experiment)

    def _value(self, name: str, config: Any) -> Any:
        return config[self.subcommand].get(name) if self.subcommand else config.get(name)


def _check_unused(folder: Path) -> None:
    """Lightning would write beside an earlier training's checkpoints, and `last.ckpt` would stay the earlier one's."""
    found = sorted(folder.glob("*.ckpt"), key=lambda path: path.stat().st_mtime)
    if found:
        raise ConfigError(
            f"{folder} holds checkpoints of an earlier training: go on with it (--ckpt_path {found[-1]}), remove the "
            "folder, or choose another one (--trainer.default_root_dir)"
        )


def run(args: Any, run_verb: bool = True) -> ZooCLI:
    """Run Lightning's command line on `args`: a list of strings, or a mapping when `run_verb` is False.

    With `run_verb` False nothing is run: the model, the data and the trainer are made and returned.

    Raises:
        ConfigError: a file is missing or not YAML, a key is unknown, or a value does not fit.
    """
    for message in WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(_no_tips)
    quiet: dict[str, Any] = {"exit_on_error": False}
    try:
        return ZooCLI(
            LightningModule,
            PatchDataModule,
            subclass_mode_model=True,
            save_config_callback=SaveConfigCallback if run_verb else None,
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
    except ValueError as error:
        # What a class raises when it is made reaches us in the same wrapping, but as another error.
        if NO_TYPE_FITS not in str(error):
            raise
        raise ConfigError(f"{_source(args)}: {readable(str(error))}") from None


def _no_tips(record: logging.LogRecord) -> bool:
    """Whether a line of Lightning's is more than an advertisement."""
    return "Tip:" not in record.getMessage()


def _source(args: Any) -> str:
    """The experiment files that the arguments name."""
    return ", ".join(named(args)) or "arguments"

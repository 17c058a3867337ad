"""`zoo fit|validate|test|predict`: Lightning's command line with an evaluation protocol."""

from __future__ import annotations

from argparse import ArgumentError
from typing import Any

import torch
from lightning import LightningModule
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback

from zoo.data.datamodule import PatchDataModule
from zoo.errors import ConfigError
from zoo.evaluation.protocol import Protocol

VERBS = ("fit", "validate", "test", "predict")


class ZooCLI(LightningCLI):
    """LightningCLI whose experiments also name a `protocol`, which the model is evaluated under."""

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
            self.datamodule.eval_samples = protocol.samples

    def _value(self, name: str, config: Any) -> Any:
        return config[self.subcommand].get(name) if self.subcommand else config.get(name)


def run(args: Any, run_verb: bool = True) -> ZooCLI:
    """Run Lightning's command line on `args`: a list of strings, or a mapping when `run_verb` is False.

    With `run_verb` False nothing is run: the model, the data and the trainer are made and returned.

    Raises:
        ConfigError: a file is missing or not YAML, a key is unknown, or a value does not fit.
    """
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
        raise ConfigError(f"{_source(args)}: {error}") from None


def _source(args: Any) -> str:
    """The experiment files that the arguments name."""
    files = [value for flag, value in zip(args, args[1:], strict=False) if flag in ("-c", "--config")]
    return ", ".join(files) or "arguments"

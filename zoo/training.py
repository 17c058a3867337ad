"""`zoo fit|validate|test|predict`: Lightning's command line with an evaluation protocol."""

from __future__ import annotations

from typing import Any

import torch
from lightning import LightningModule
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from zoo.data.datamodule import PatchDataModule
from zoo.evaluation.protocol import Protocol


class ZooCLI(LightningCLI):
    """LightningCLI whose experiments also name a `protocol`, which the model is evaluated under."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add `protocol` and `threads`."""
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
    """
    return ZooCLI(
        LightningModule,
        PatchDataModule,
        subclass_mode_model=True,
        save_config_kwargs={"overwrite": True},
        trainer_defaults={"inference_mode": False},
        auto_configure_optimizers=False,
        seed_everything_default=0,
        args=args,
        run=run_verb,
    )

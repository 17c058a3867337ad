"""The same grid as a sweep of Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from zoo.comparison.sweep.plan import read
from zoo.comparison.sweep.settings import Varied, find, laid, paths
from zoo.config.compose import Address, resolve
from zoo.files import keep_inputs, write_text

TRAIN = (
    'exec zoo fit -c "$0" --trainer.logger=lightning.pytorch.loggers.WandbLogger '
    '--trainer.default_root_dir="runs/sweep-$WANDB_RUN_ID" "$@"'
)
"""A folder for each run, or the second would find the checkpoints of the first."""
HEAD = (
    "# {address}: `wandb sweep {name}` registers it, `wandb agent ID` trains. Selection belongs on validation data.\n"
)


def sweep_file(address: Address, settings: Sequence[Varied], seeds: int) -> dict[str, Any]:
    """What W&B reads: every combination once, each a `zoo fit` of one row that logs to W&B.

    Raises:
        ConfigError: a name does not exist.
    """
    experiment = resolve(address)
    parameters: dict[str, Any] = {}
    base = experiment
    for setting in settings:
        path = find(setting.name, list(paths(read(base, str(address)))), str(address))
        base = laid(base, path, setting.values[0])
        parameters[".".join(path)] = {"values": list(setting.values)}
    first = int(experiment.get("seed_everything") or 0)
    parameters.setdefault("seed_everything", {"values": list(range(first, first + seeds))})
    content: dict[str, Any] = {"name": address.name, "program": "zoo", "method": "grid"}
    metric = _metric(experiment)
    if metric is not None:
        content["metric"] = metric
    content["parameters"] = parameters
    content["command"] = ["/bin/sh", "-c", TRAIN, str(address), "${args}"]
    return content


def write_sweep_files(path: Path, addresses: Sequence[Address], settings: Sequence[Varied], seeds: int) -> list[Path]:
    """Write the file of each row: `path` for a single one, with the row's name before the suffix for several.

    Raises:
        ConfigError: a name does not exist, or a file would replace an experiment.
    """
    several = len(addresses) > 1
    names = [path.with_stem(f"{path.stem}-{each.name.replace('/', '-')}") if several else path for each in addresses]
    keep_inputs(names, [each.path for each in addresses])
    for name, address in zip(names, addresses, strict=True):
        content = yaml.safe_dump(sweep_file(address, settings, seeds), sort_keys=False)
        write_text(name, HEAD.format(address=address, name=name) + content)
    return names


def _metric(experiment: Mapping[str, Any]) -> dict[str, str] | None:
    """What the row's own callback calls the best."""
    callbacks = (experiment.get("trainer") or {}).get("callbacks") or []
    for each in callbacks if isinstance(callbacks, list) else [callbacks]:
        arguments = (each.get("init_args") or {}) if isinstance(each, dict) else {}
        if "monitor" in arguments:
            best = arguments.get("mode", "max" if "BestCheckpoint" in str(each) else "min")
            return {"name": arguments["monitor"], "goal": {"max": "maximize", "min": "minimize"}[best]}
    return None

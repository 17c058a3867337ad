"""Where a result comes from: configuration, code, data, weights, device and versions."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.pytorch.cli import LightningCLI

from zoo.data.datamodule import read_list
from zoo.data.datasets import StoreDataset
from zoo.files import sha256
from zoo.hub.index import WEIGHTS, entries
from zoo.hub.locate import is_address, locate
from zoo.store.reader import Store

HERE = Path(__file__).parent
NOT_CODE = (":(top,exclude)experiments/results", ":(top,exclude)leaderboard.md")
PATHS = ("files", "test_files")
MACHINE = ("num_workers",)


def config_hash(cli: LightningCLI) -> str:
    """Sha256 of model, protocol, data, seed, precision and backend as resolved.

    Of stores only the file names count, of a list of test samples what it says and not where it lies. Folders, devices,
    loggers and worker counts differ between machines and do not change what is computed.
    """
    config = yaml.safe_load(cli.parser.dump(cli.config, skip_validation=True))
    kept = {name: config.get(name) for name in ("model", "protocol", "data", "seed_everything")}
    kept["precision"] = config["trainer"].get("precision")
    if config.get("backend", "torch") != "torch":  # as if there had never been others, as in results of before
        kept["backend"] = config["backend"]
    data: dict[str, Any] = dict(kept["data"])
    for name in PATHS:
        data[name] = None if data.get(name) is None else sorted(Path(file).name for file in data[name])
    if data.get("test_list") is not None:
        data["test_list"] = read_list(data["test_list"])
    if data.get("test_split") == "test":  # as if there had never been others, as in results of before
        del data["test_split"]
    arguments = (kept["model"] or {}).get("init_args") or {}
    if not arguments.get("weights_override"):  # as if it had never been there, as in results of before
        arguments.pop("weights_override", None)
    kept["data"] = {name: value for name, value in data.items() if name not in MACHINE}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def data_checksum(stores: Iterable[Store]) -> str:
    """Sha256 over the stores' own, sorted; a single store's is its own."""
    sums = sorted(store.checksum() for store in stores)
    return sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()


def samples_digest(dataset: StoreDataset) -> str:
    """Sha256 over where all samples of a dataset come from, in their order: the same only for the same samples."""
    places = [dataset.describe(number) for number in range(len(dataset))]
    return hashlib.sha256(json.dumps(places, sort_keys=True).encode()).hexdigest()


def checkpoints(arguments: Any) -> dict[str, dict[str, str]] | None:
    """Name and sha256 of every checkpoint among a model's arguments, by argument; None without any.

    Args:
        arguments: `init_args`; a checkpoint is a `.ckpt`, a checkpoint folder or a name of the index, at any depth.
    """
    found = {}
    for argument, name in _texts(arguments):
        path = _weights_file(name)
        if path is not None:
            found[argument] = {"name": Path(name).name, "sha256": sha256(path)}
    return found or None


def _texts(arguments: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """All texts among arguments, by their dotted names without `init_args`."""
    items = arguments.items() if isinstance(arguments, Mapping) else enumerate(arguments)
    for name, value in items:
        argument = before if name == "init_args" else f"{before}.{name}".lstrip(".")
        if isinstance(value, str):
            yield argument, value
        elif isinstance(value, Mapping | list | tuple):
            yield from _texts(value, argument)


def _weights_file(name: str) -> Path | None:
    path = Path(name)
    if path.suffix == ".ckpt" and path.is_file():
        return path
    known = name in entries() or is_address(name) or (path / WEIGHTS).is_file()
    return locate(name) / WEIGHTS if known else None


def commit() -> dict[str, Any]:
    """Keys `commit` and `dirty` (tracked files were changed, other than earlier results); None outside a clone.

    A project that has this code in its folder, but does not track it, as in a virtual environment, is no clone of it.
    """
    try:
        _git("ls-files", "--error-unmatch", ".")
        head = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", *NOT_CODE)
        return {"commit": head, "dirty": bool(changed)}
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "dirty": None}


def versions() -> dict[str, str]:
    """Of python, torch, lightning and isegzoo."""
    packages = {name: version(name) for name in ("lightning", "isegzoo")}
    return {"python": platform.python_version(), "torch": str(torch.__version__), **packages}


def device_name(device: torch.device) -> str:
    """The accelerator's name, or the processor's with the number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return str(device)
    return f"{_processor()}, {torch.get_num_threads()} threads"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=HERE, check=True, capture_output=True, text=True, timeout=20)
    return done.stdout.strip()

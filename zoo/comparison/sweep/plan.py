"""The runs of a sweep: every row with every combination of values and every seed, written down before any begins."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from zoo.comparison.sweep.settings import Varied, find, laid, paths, text
from zoo.config.cli import ReadCLI, run
from zoo.config.compose import Address, resolve
from zoo.config.runs import CHECKPOINTS
from zoo.errors import ConfigError, ResultError
from zoo.files import write_text

SCHEMA = "isegzoo.sweep/1"
EXPERIMENT, RUN, RESULT, TRACES, OUTLINES = (
    "experiment.json", "run.json", "result.json", "traces.jsonl", "outlines.json",
)  # fmt: skip
LENGTHS = ("max_steps", "max_epochs", "max_time")
LAST = {"class_path": "zoo.callbacks.LastCheckpoint"}
UNSAFE = re.compile(r"[^\w.+=,-]+")


@dataclass(frozen=True)
class Run:
    """One process of a sweep.

    Attributes:
        folder: of what it writes.
        row: `FILE/ROW+NAME=VALUE`: what all its seeds share.
        title: as tables print the row.
        fits: whether it trains before it is evaluated.
        seed: of everything random in training, the order of samples too.
        limit: images to evaluate on, at most; None for all.
        command: the sweep.
    """

    folder: Path
    row: str
    title: str
    fits: bool
    seed: int
    limit: int | None
    command: str

    @property
    def finished(self) -> bool:
        """Whether its result is there."""
        return (self.folder / RESULT).is_file()

    @property
    def begun(self) -> bool:
        """Whether a training was stopped in it, that can go on."""
        return self.fits and not self.finished and (self.folder / CHECKPOINTS / "last.ckpt").is_file()

    @property
    def starts_others(self) -> bool:
        """Whether it may start processes for further devices, which repeat its command."""
        devices = (json.loads((self.folder / EXPERIMENT).read_text()).get("trainer") or {}).get("devices", "auto")
        return devices != 1 and (devices != "auto" or torch.cuda.device_count() > 1)

    @property
    def address(self) -> Address:
        """What is evaluated: what the training left, or the experiment as it is."""
        trained = any((self.folder / CHECKPOINTS).glob("*.ckpt"))
        return Address(self.folder if trained else self.folder / EXPERIMENT)

    @classmethod
    def read(cls, folder: Path) -> Run:
        """What `plan` wrote into a folder.

        Raises:
            ResultError: nothing, or something else.
        """
        try:
            content = json.loads((folder / RUN).read_text())
            if content.pop("schema") != SCHEMA:
                raise ValueError(f"schema is not {SCHEMA}")
            return cls(folder=folder, **content)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ResultError(f"{folder / RUN}: no run of a sweep of this version ({error})") from None


@dataclass(frozen=True)
class Options:
    """What a sweep does with each row.

    Attributes:
        settings: what varies.
        seeds: of each combination that trains; one that does not is evaluated once.
        split: what is evaluated: train, val or test.
        fit: whether rows that say how long are trained.
        limit: images to evaluate on, at most.
        command: of the sweep.
    """

    settings: Sequence[Varied] = ()
    seeds: int = 1
    split: str = "val"
    fit: bool = True
    limit: int | None = None
    command: str = "zoo sweep"


def plan(
    addresses: Sequence[Address], options: Options, out: Path, progress: Callable[[], None] = lambda: None
) -> list[Run]:
    """All runs of a sweep, row by row, each written into a folder of its own when all have been checked.

    Raises:
        ConfigError: a setting or a value does not exist, a row can't be trained safely, or a folder holds another run.
    """
    planned: list[tuple[Run, str]] = []
    for address in addresses:
        for values, experiment in combinations(resolve(address), options.settings, str(address)):
            content, fits = _prepared(experiment, options, str(address))
            row = address.name + "".join(f"+{name}={slug(text(value))}" for name, value in values.items())
            title = ", ".join(
                [str(content.get("title") or address.name), *(f"{n} {text(v)}" for n, v in values.items())]
            )
            for number in range(options.seeds if fits else 1):
                seeded = _seeded(content, number)
                seed = int(seeded["seed_everything"])
                folder = out / "runs" / row / f"seed-{seed}"
                each = Run(folder, row, title, fits, seed, options.limit, options.command)
                planned.append((each, _text(_placed(seeded, folder))))
            progress()
    count = Counter(each.folder for each, _ in planned)
    twice = sorted({each.row for each, _ in planned if count[each.folder] > 1})
    if twice:
        raise ConfigError(f"{', '.join(twice)}: given twice; runs are named after the file, its row and the settings")
    for each, wanted in planned:
        _check(each, wanted)
    for each, wanted in planned:
        _write(each, wanted)
    return [each for each, _ in planned]


def combinations(
    experiment: Mapping[str, Any], settings: Sequence[Varied], where: str
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Every combination: the values by name, of settings with several ones, and the experiment with all.

    Raises:
        ConfigError: a name or a value does not exist.
    """
    found: list[tuple[str, ...]] = []
    base = dict(experiment)
    for setting in settings:  # one after the other: a class that one names brings settings of its own
        found.append(find(setting.name, list(paths(read(base, where))), where))
        base = laid(base, found[-1], setting.values[0])
    out = []
    for values in itertools.product(*(setting.values for setting in settings)):
        each = dict(experiment)
        for path, value in zip(found, values, strict=True):
            each = laid(each, path, value)
        if settings:
            read(each, f"{where}, {', '.join(f'{s.name}={text(v)}' for s, v in zip(settings, values, strict=True))}")
        out.append(({s.name: v for s, v in zip(settings, values, strict=True) if len(s.values) > 1}, each))
    return out


def read(experiment: Mapping[str, Any], where: str) -> dict[str, Any]:
    """An experiment's whole configuration, with all defaults.

    Raises:
        ConfigError: something in it does not exist, or has a value that does not fit.
    """
    given = json.dumps(experiment)
    try:
        content: dict[str, Any] = run(["-c", given], run_verb=False, kind=ReadCLI).config.as_dict()
    except ConfigError as error:
        raise ConfigError(f"{where}{str(error).removeprefix(given)}") from None
    return content


def slug(name: str) -> str:
    """A value in a folder's name: told apart from others even where letters have to go."""
    safe = UNSAFE.sub("-", name).strip("-")[:40]
    return safe if safe == name else f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def _prepared(experiment: Mapping[str, Any], options: Options, where: str) -> tuple[dict[str, Any], bool]:
    """What is run of an experiment, and whether it trains."""
    content = deepcopy(dict(experiment))
    trainer = content.setdefault("trainer", {}) or {}
    content["trainer"] = trainer
    fits = options.fit and any(trainer.get(name) is not None for name in LENGTHS)
    if fits and trainer.get("enable_checkpointing") is False:
        raise ConfigError(
            f"{where}: keeps no checkpoint (trainer.enable_checkpointing), so there is nothing to evaluate"
        )
    data = content.setdefault("data", {})
    if options.split != "test":
        data["test_split"] = options.split
        data.pop("test_list", None)  # names samples of the test split
    return content, fits


def _seeded(content: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The experiment with its own seeds for the first run, and the next ones for those after it."""
    seeded = deepcopy(dict(content))
    seeded["seed_everything"] = int(content.get("seed_everything") or 0) + number
    if number:
        seeded["data"]["seed"] = int(content["data"].get("seed") or 0) + number
    return seeded


def _placed(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """With everything that the experiment writes in the run's folder, the file that it goes on from among it."""
    trainer = content["trainer"]
    trainer["default_root_dir"] = str(folder)
    for logger in _listed(trainer, "logger"):
        if isinstance(logger, dict) and "save_dir" in (logger.get("init_args") or {}):
            logger["init_args"]["save_dir"] = str(folder)
    callbacks = _listed(trainer, "callbacks")
    kept = [each for each in callbacks if "Checkpoint" in str(each)]
    for each in kept:
        if isinstance(each, dict):
            (each.get("init_args") or {}).pop("dirpath", None)
    if kept and not any("LastCheckpoint" in str(each) or "save_last" in str(each) for each in kept):
        trainer["callbacks"] = [*callbacks, LAST]
    return content


def _listed(trainer: Mapping[str, Any], name: str) -> list[Any]:
    value = trainer.get(name)
    return value if isinstance(value, list) else [] if value in (None, True, False) else [value]


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _check(each: Run, wanted: str) -> None:
    """Refuse a folder that holds another run."""
    there = each.folder / EXPERIMENT
    same = there.is_file() and there.read_text() == wanted
    before = Run.read(each.folder) if same else each
    if there.is_file() and not (same and (before.limit, before.fits) == (each.limit, each.fits)):
        raise ConfigError(
            f"{each.folder}: holds a run of another experiment of this name, or on other samples; choose another --out "
            "or remove the folder"
        )


def _write(each: Run, wanted: str) -> None:
    known = {**asdict(each), "schema": SCHEMA}
    known.pop("folder")
    write_text(each.folder / RUN, _text(known))
    write_text(each.folder / EXPERIMENT, wanted)  # last: where it is, the other is too, also after a kill between them

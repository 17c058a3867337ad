"""Experiment files that share what they have in common: `base:` and `rows:`, expanded before anything is parsed.

A fragment, or several, named by `base` (paths relative to the file that names them) stands below what the file itself
says. `rows` makes a table of one file: each row is an experiment of its own, named `FILE.yaml::ROW`. What is said
nearer to the row wins: the row's own keys over the row's `base`, over the file's other keys, over the file's `base`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonargparse import get_loader

from zoo.config.runs import is_run, run_experiment, run_name
from zoo.errors import ConfigError
from zoo.files import shipped

SEPARATOR = "::"
ROW = re.compile(r"[\w+][\w.+-]*")
DIFFERENCES = "differences"
"""The folder of paired differences among results, so that no table and no row is called so."""
TABLES = "tables"


@dataclass(frozen=True)
class Address:
    """One experiment: a file, or a row of one.

    Attributes:
        path: the YAML.
        row: of its `rows`; None for a file without any, or for all of them.
    """

    path: Path
    row: str | None = None

    @classmethod
    def parse(cls, text: str) -> Address:
        """Of `FILE.yaml` or `FILE.yaml::ROW`."""
        path, separator, row = text.partition(SEPARATOR)
        return cls(Path(path), row if separator else None)

    def __str__(self) -> str:
        path = self.path.as_posix()
        return path if self.row is None else f"{path}{SEPARATOR}{self.row}"

    @property
    def name(self) -> str:
        """`FILE` or `FILE/ROW`: what its traces, results and folders are called."""
        if self.row is not None:
            return f"{self.path.stem}/{self.row}"
        return run_name(self.path) if is_run(self.path) else self.path.stem

    @property
    def result(self) -> Path:
        """`results/NAME.json` beside the file, or beside the folder `tables` that the file lies in."""
        folder = self.path.absolute().parent
        return (folder.parent if folder.name == TABLES else folder) / "results" / f"{self.name}.json"

    @property
    def differences(self) -> Path:
        """Those of the experiments that were compared with this one: in a folder beside its result."""
        return self.result.parent / DIFFERENCES / self.result.name


def experiments(address: Address) -> list[Address]:
    """The experiments that an address stands for: itself, or all rows of a table.

    Raises:
        ConfigError: the file is missing, no YAML, or has no such row.
    """
    rows = _rows(_read(address.path), address.path)
    if address.row is not None:
        _row(rows, address)
    return [address] if address.row is not None or not rows else [Address(address.path, row) for row in rows]


def composes(address: Address) -> bool:
    """Whether a file has to be resolved: it names a `base` or has `rows`, or a row of it is asked for."""
    if address.row is not None or is_run(address.path):
        return True
    return bool({"base", "rows"} & _read(address.path).keys())


def resolve(address: Address) -> dict[str, Any]:
    """The mapping of one experiment, without `base` and `rows`.

    Raises:
        ConfigError: a file is missing, no YAML mapping, or stands below itself; there is no such row, or none is named.
    """
    return _resolved(address, ())


def merge(under: Any, over: Any) -> Any:
    """`over` laid on `under`: mappings key by key, anything else replaced.

    As jsonargparse merges: arguments of a class don't become those of another one. A mapping whose `class_path` differs
    is replaced as a whole; one that brings only `init_args` belongs to the class below, even if that is a mere name.
    """
    if isinstance(under, str) and isinstance(over, Mapping) and "init_args" in over and "class_path" not in over:
        under = {"class_path": under}
    if not isinstance(under, Mapping) or not isinstance(over, Mapping) or _other_class(under, over):
        return deepcopy(over)
    merged = {name: deepcopy(value) for name, value in under.items()}
    for name, value in over.items():
        merged[name] = merge(merged[name], value) if name in merged else deepcopy(value)
    return merged


def _other_class(under: Mapping[str, Any], over: Mapping[str, Any]) -> bool:
    return "class_path" in under and "class_path" in over and under["class_path"] != over["class_path"]


def _resolved(address: Address, chain: tuple[Address, ...]) -> dict[str, Any]:
    here = Address(address.path.resolve(), address.row)
    if here in chain:
        circle = " -> ".join(map(str, [*chain[chain.index(here) :], here]))
        raise ConfigError(f"{address}: is its own base ({circle}); take one of them out")
    content = _read(address.path)
    rows = _rows(content, address.path)
    if rows and address.row is None:
        example = Address(address.path, next(iter(rows)))
        raise ConfigError(f"{address.path}: is a table; name one of its rows ({', '.join(rows)}), such as {example}")
    result: dict[str, Any] = {}
    for layer in [content] if address.row is None else [content, _row(rows, address)]:
        for base in _bases(layer, address):
            result = merge(result, _resolved(base, (*chain, here)))
        result = merge(result, {name: value for name, value in layer.items() if name not in ("base", "rows")})
    return result


def _bases(layer: Mapping[str, Any], owner: Address) -> list[Address]:
    named = layer.get("base", [])
    paths = [named] if isinstance(named, str) else named
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise ConfigError(f"{owner}: base is {named!r}; name a file, or a list of files")
    bases = [Address.parse(path) for path in paths]
    bases = [Address(owner.path.parent / base.path, base.row) for base in bases]
    for base in bases:
        if not shipped(base.path).is_file():
            raise ConfigError(f"{owner}: its base {base.path} is no file; it is looked for from where {owner.path} is")
    return bases


def _rows(content: Mapping[str, Any], path: Path) -> dict[str, Mapping[str, Any]]:
    rows = content.get("rows", {})
    named = isinstance(rows, dict) and (rows or "rows" not in content)
    if not named or not all(isinstance(row, Mapping | None) for row in rows.values()):
        raise ConfigError(f"{path}: rows must be a mapping of names to what each row says")
    for name in rows:
        if not isinstance(name, str) or not ROW.fullmatch(name) or DIFFERENCES in (name, path.stem):
            raise ConfigError(
                f"{path}: can't have a row {name!r}; results are named after files and rows: a text of letters, "
                f"digits and . _ + -, not {DIFFERENCES!r}"
            )
    return {name: row or {} for name, row in rows.items()}


def _row(rows: Mapping[str, Mapping[str, Any]], address: Address) -> Mapping[str, Any]:
    if address.row is None or address.row not in rows:
        known = f"its rows are {', '.join(rows)}" if rows else "it has no rows"
        raise ConfigError(f"{address.path}: no row {address.row!r}; {known}")
    return rows[address.row]


def _read(path: Path) -> dict[str, Any]:
    if is_run(path):
        return run_experiment(path)
    if not shipped(path).is_file():
        raise ConfigError(f"{path}: no such file; give experiment YAMLs such as those in experiments/tables")
    try:
        # As jsonargparse reads a file, where 1e-4 is a number.
        content = get_loader("yaml")(shipped(path).read_text())
    except Exception as error:  # whatever the loader meets
        raise ConfigError(f"{path}: Problems parsing config: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: must be a mapping of `model`, `data` and others, is {type(content).__name__}")
    return content

"""The option `-c`: experiment files and rows of tables, expanded before they are parsed."""

from __future__ import annotations

from typing import Any

import yaml
from jsonargparse import ActionConfigFile  # type: ignore[attr-defined]

from zoo.config.compose import Address, composes, resolve
from zoo.config.runs import is_run
from zoo.files import shipped

SUFFIXES = (".yaml", ".yml", ".json")


class ComposedFile(ActionConfigFile):
    """Takes what jsonargparse's own action takes, and files with `base` or `rows`, and `FILE.yaml::ROW`."""

    def __call__(self, parser: Any, cfg: Any, values: Any, option_string: Any = None) -> None:
        """Add the keys of one `-c`.

        Raises:
            ConfigError: a base or row is missing or no mapping, or a table is named without a row.
        """
        address = Address.parse(values) if isinstance(values, str) else None
        if address is not None and _is_file(address):
            # Quoted and tagged, so that every value is read as what it is.
            composed = composes(address)
            values = yaml.safe_dump(resolve(address), default_style='"') if composed else str(shipped(address.path))
        super().__call__(parser, cfg, values, option_string)


def _is_file(address: Address) -> bool:
    """Whether it means a file or a run: not a URL, nor YAML given in place of a file."""
    if address.row is not None:
        return address.path.suffix in SUFFIXES
    try:
        return shipped(address.path).is_file() or is_run(address.path)
    except OSError:  # a name that is too long for one
        return False


def last_named(args: Any) -> str | None:
    """What the last `-c` of some arguments names; None without any, or where it is text in place of a file."""
    addresses = [Address.parse(file) for file in named(args)[-1:]]
    return addresses[0].name if addresses and _is_file(addresses[0]) else None


def named(args: Any) -> list[str]:
    """The files and rows that the arguments name."""
    if not isinstance(args, list | tuple):
        return []
    found = []
    for flag, value in zip(args, [*args[1:], ""], strict=True):
        name, equals, attached = str(flag).partition("=")
        if name in ("-c", "--config"):
            found.append(attached if equals else str(value))
    return found

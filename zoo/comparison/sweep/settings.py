"""What a sweep varies: `--set NAME=VALUE,VALUE,...`, and which names there are."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsonargparse import get_loader

from zoo.config.compose import merge
from zoo.errors import ConfigError, first_few

Keys = tuple[str, ...]
"""Of a setting, from the top of an experiment down."""
TOPS = ("model", "protocol", "data", "trainer", "seed_everything")
SHOWN = 40  # names in a message
BRACKETS = {"[": "]", "{": "}", "(": ")"}


@dataclass(frozen=True)
class Varied:
    """One option of a sweep: a name as it was written, and the values to try."""

    name: str
    values: tuple[Any, ...]

    @classmethod
    def parse(cls, text: str) -> Varied:
        """Of `NAME=VALUE,VALUE`; commas within brackets or quotes belong to a value, values are YAML.

        Raises:
            ConfigError: there is no name or no value, or a value is no YAML or given twice.
        """
        name, equals, given = text.partition("=")
        name = name.strip()
        if not name or not equals or not given.strip():
            raise ConfigError(f"--set {text}: write --set NAME=VALUE,VALUE, e.g. encoder.radius=3,5,7")
        try:
            values = tuple(get_loader("yaml")(part) for part in _split(given))
        except Exception as error:  # whatever the loader meets
            raise ConfigError(f"--set {text}: no YAML ({str(error).splitlines()[0]})") from None
        if any(value in values[:number] for number, value in enumerate(values)):
            raise ConfigError(f"--set {text}: a value is given twice")
        return cls(name, values)


def laid(experiment: Mapping[str, Any], path: Keys, value: Any) -> dict[str, Any]:
    """An experiment with one setting changed."""
    for part in reversed(path):
        value = {part: value}
    changed: dict[str, Any] = merge(experiment, value)
    return changed


def find(name: str, known: Sequence[Keys], where: str) -> Keys:
    """The path that a name means: a full one, one without `init_args`, or one below the model's arguments.

    Args:
        name: dotted.
        known: all paths of the experiment.
        where: the experiment, for messages.

    Raises:
        ConfigError: nothing is called so; the message lists what exists.
    """
    for called in (".".join, short, lambda path: short(path).removeprefix("model.")):
        found = [path for path in known if called(path) == name]
        if found:
            return found[0]
    names = sorted({short(path).removeprefix("model.") for path in known})
    parts = name.split(".")
    heads = [".".join(parts[:length]) for length in range(len(parts) - 1, 0, -1)]
    head = next((head for head in heads if head in names or any(each.startswith(f"{head}.") for each in names)), None)
    near = difflib.get_close_matches(name, names, 3, 0.75)
    below = [each for each in names if head is None or each.startswith(f"{head}.")]
    if head is not None and not below:
        hint = f"{head} has no settings of its own; where it is to be a class, name that before: --set {head}=CLASS"
    else:
        own = [each for each in below if head is not None or each.partition(".")[0] not in TOPS]
        hint = f"there is {first_few(own, SHOWN)}" + (
            "" if head else "; and full names such as trainer.max_steps, data.batch_size"
        )
    nearest = f"did you mean {' or '.join(near)}? " if near else ""
    raise ConfigError(f"--set {name}: {where} has no such setting; {nearest}{hint}")


def paths(config: Mapping[str, Any], before: Keys = ()) -> Iterator[Keys]:
    """All settings of a configuration as it was read, defaults included, classes too."""
    for name, value in config.items():
        path = (*before, name)
        if not before and name not in TOPS:
            continue
        if name not in ("init_args", "class_path", "dict_kwargs"):
            yield path
        if isinstance(value, Mapping):
            yield from paths(value, path)


def short(path: Keys) -> str:
    """A path without `init_args`."""
    return ".".join(part for part in path if part != "init_args")


def text(value: Any) -> str:
    """A value as names and titles show it: of a class only its own name."""
    shown = str(value) if not isinstance(value, bool | None) else str(value).lower().replace("none", "null")
    parts = shown.split(".")
    return parts[-1] if len(parts) > 1 and all(part.isidentifier() for part in parts) else shown


def _split(given: str) -> list[str]:
    """Parts between commas that are in no bracket and no quotes."""
    parts, open_, quote = [""], [""], ""
    for letter in given:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in BRACKETS:
            open_.append(BRACKETS[letter])
        elif letter == open_[-1]:
            open_.pop()
        elif letter == "," and len(open_) == 1:
            parts.append("")
            continue
        parts[-1] += letter
    return [part.strip() for part in parts]

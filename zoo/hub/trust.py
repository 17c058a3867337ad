"""Whose classes a checkpoint may name: those of zoo, and others' only if somebody says so.

Naming a class imports its module, and importing runs what stands in it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from pydoc import ErrorDuringImport, locate
from typing import Any

import yaml

from zoo.errors import CheckpointError

OURS = "zoo"
_ASKED: ContextVar[bool | None] = ContextVar("trust_code", default=None)
"""What was said of the checkpoint that is being loaded, for those that it names in turn, as RefineNet its guide."""


def trusted(asked: bool | None, own: bool) -> bool:
    """Whether a checkpoint's classes may be imported, whatever they are.

    Args:
        asked: what the caller says; None: as for the checkpoint that names this one, else `own`.
        own: whether it is a path of this machine, and an experiment names it.
    """
    if asked is not None:
        return asked
    outer = _ASKED.get()
    return own if outer is None else outer


@contextmanager
def saying(asked: bool | None) -> Iterator[None]:
    """Within, what was said holds for checkpoints that are loaded in turn; None: nothing was said."""
    token = _ASKED.set(_ASKED.get() if asked is None else asked)
    try:
        yield
    finally:
        _ASKED.reset(token)


def check_trusted(config: Mapping[str, Any], source: object, own: bool) -> None:
    """Refuse a configuration that would have a module imported that is not of zoo.

    Every text counts: classes may be named in short (`encoder: my.Rings`), and in a text that is YAML itself.

    Args:
        config: what is to be built.
        source: what error messages call it.
        own: whether it is a folder of this machine; then classes that the running program has imported are welcome.

    Raises:
        CheckpointError: it names such a class, or what is no class of zoo by a name that begins with it.
    """
    for text in _texts(config):
        words = text.split(".")
        if len(words) < 2 or not all(map(str.isidentifier, words)):
            continue
        if words[0] == OURS:
            if not _is_ours(text):
                raise CheckpointError(f"{source}: names {text}, which is no class of zoo; it was not loaded")
        elif _importable(words[0]) and not (own and _is_imported_class(words)):
            raise CheckpointError(
                f"{source}: names {text}, which is not of zoo: loading it would run that code. If you trust those who "
                "wrote both, load it with trust_code=True, in the shell with --trust-code; for an experiment, get it "
                "with `zoo download` and name its folder"
            )


def _texts(value: Any) -> Iterator[str]:
    """All texts in it, those within texts that are YAML among them."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(key)
            yield from _texts(each)
    elif isinstance(value, list | tuple | set):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value.strip()
        try:
            inner = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError):
            return
        if inner != value:
            yield from _texts(inner)


def _is_ours(text: str) -> bool:
    """Whether it is a class of zoo and not, say, `zoo.files.os`; what is not there is left to who builds it."""
    try:
        found = locate(text)
    except ErrorDuringImport:
        return True
    return found is None or (isinstance(found, type) and found.__module__.split(".")[0] == OURS)


def _importable(module: str) -> bool:
    try:
        return module in sys.modules or find_spec(module) is not None
    except (ImportError, ValueError):
        return True


def _is_imported_class(words: list[str]) -> bool:
    """Whether the running program has this class already, which the standard library's programs for all kinds are not.

    A person's own class, in other words: its module has run, whoever wrote the folder.
    """
    found: Any = sys.modules.get(".".join(words[:-1]))
    return isinstance(getattr(found, words[-1], None), type) and words[0] not in sys.stdlib_module_names

"""The index of the package together with further ones, which others publish."""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from zoo.errors import CheckpointError
from zoo.files import write_text
from zoo.hub import hf
from zoo.hub.cache import place
from zoo.hub.fetch import BrokenOffError, MissingError, fetch_text
from zoo.hub.index import OWN, Entry, Index, entries, parse, shipped

VARIABLE = "ZOO_INDEX"
FILE = "index.yaml"
NAMED = re.compile(r"([A-Za-z0-9][\w.-]*)=(.+)")


@dataclass(frozen=True)
class Found:
    """A checkpoint of an index."""

    index: Index
    name: str

    @property
    def entry(self) -> Entry:
        """What the index says of it."""
        return self.index.entries[self.name]

    @property
    def full(self) -> str:
        """Its name with that of its index."""
        return f"{self.index.name}/{self.name}"

    @property
    def address(self) -> str:
        """Where its files lie."""
        return self.index.address(self.name)


class Indices:
    """The index of the package and further ones, each read when it is first needed and kept as long as this object.

    A name without a slash is the package's checkpoint where it has one of this name: no further index can take its
    place. `lab/name` is the checkpoint of the index `lab`.

    Args:
        further: addresses of further indices: a file, `https://...` or `hf://org/repo`, its folder or its
            `index.yaml`; `name=` before one names it, else it is named after its folder. None: those of `ZOO_INDEX`,
            separated by commas.

    Raises:
        CheckpointError: two have the same name.
    """

    def __init__(self, further: Sequence[str] | None = None) -> None:
        given = os.environ.get(VARIABLE, "").split(",") if further is None else further
        self._addresses: dict[str, str] = {}
        self._read: dict[str, Index] = {}
        for each in filter(None, map(str.strip, given)):
            name, address = _named(each)
            if name == OWN or self._addresses.get(name, address) != address:
                raise CheckpointError(f"{each}: there is an index {name!r} already; write another name=ADDRESS")
            self._addresses[name] = address

    def all(self, skip_unread: bool = False) -> Iterator[Index]:
        """The package's index, then the others.

        Args:
            skip_unread: warn of those that can't be read, in place of an error.
        """
        yield shipped()
        for name in self._addresses:
            try:
                yield self._index(name)
            except CheckpointError as error:
                if not skip_unread:
                    raise
                warnings.warn(f"left out: {error}", stacklevel=2)

    def listed(self) -> dict[str, Found]:
        """All checkpoints, by names that `find` finds them under: with that of their index where it has to be.

        Indices that can't be read are left out, with a warning.
        """
        found = [Found(index, name) for index in self.all(skip_unread=True) for name in index.entries]
        count = Counter(each.name for each in found)
        return {each.name if each.index.name == OWN or count[each.name] == 1 else each.full: each for each in found}

    def find(self, name: str) -> Found | None:
        """The checkpoint of a name; None where no index has it.

        Raises:
            CheckpointError: an index that may have it can't be read, or several have it.
        """
        label, _, rest = name.rpartition("/")
        if label in ("", OWN):
            own = shipped()
            if rest in own.entries:
                return Found(own, rest)
        if label:
            named = self._index(label) if label in self._addresses else None
            return Found(named, rest) if named is not None and rest in named.entries else None
        found = [Found(index, name) for index in self.all() if name in index.entries]
        if len(found) > 1:
            names = " or ".join(each.full for each in found)
            raise CheckpointError(f"{name}: several indices have a checkpoint of this name; say {names}")
        return found[0] if found else None

    def _index(self, name: str) -> Index:
        if name not in self._read:
            self._read[name] = read_index(name, self._addresses[name])
        return self._read[name]


_ASKED: ContextVar[Indices | None] = ContextVar("indices", default=None)


@contextmanager
def asking(indices: Indices | None) -> Iterator[None]:
    """Within, checkpoints that another one names, as RefineNet its guide, are looked up in these; None: as before."""
    token = _ASKED.set(indices or _ASKED.get())
    try:
        yield
    finally:
        _ASKED.reset(token)


def asked() -> Indices:
    """The indices of the checkpoint that is being loaded; else the package's and those of `ZOO_INDEX`."""
    return _ASKED.get() or Indices()


def read_index(name: str, address: str) -> Index:
    """An index from its address. Of one on the web a copy is kept, which serves when it can't be reached.

    Raises:
        CheckpointError: it can't be read, or is no index.
    """
    if address.startswith(hf.SCHEME):
        where = hf.place(address.removesuffix(f"/{FILE}"))
        path = hf.fetch(where, FILE)
        if path is None:
            raise CheckpointError(f"{where}: has no {FILE}")
        return Index(name, str(hf.pinned(where, path)), parse(path.read_text(errors="replace"), address))
    if "://" in address and not address.startswith("file://"):
        address = address if address.endswith((".yaml", ".yml")) else f"{address.rstrip('/')}/{FILE}"
        return Index(name, address.rpartition("/")[0], parse(_kept(address), address))
    path = local_path(address)
    path = path / FILE if path.is_dir() else path
    return Index(name, str(path.parent), entries(path))


def local_path(address: str) -> Path:
    """The path of a `file://` address, or of a path."""
    return Path(unquote(urlsplit(address).path)) if address.startswith("file://") else Path(address)


def _kept(address: str) -> str:
    """The text of an index on the web, or of its copy where it can't be reached."""
    copy = place("index", address).with_suffix(".yaml")
    try:
        text = fetch_text(address)
        parse(text, address)
    except MissingError:
        raise
    except BrokenOffError as error:
        if not copy.is_file():
            raise
        warnings.warn(f"{error}; its copy in {copy} is used", stacklevel=2)
        return copy.read_text()
    try:
        write_text(copy, text)
    except Exception as error:  # a cache that can't be written to: there is no copy
        warnings.warn(f"no copy of {address} is kept: {error}", stacklevel=2)
    return text


def _named(given: str) -> tuple[str, str]:
    """Name and address of an index: `name=address`, or named after the folder that it lies in, or after its file."""
    named = NAMED.fullmatch(given)
    if named is not None:
        return named[1], named[2]
    if given.startswith(hf.SCHEME):
        return hf.place(given.removesuffix(f"/{FILE}")).repository.partition("/")[0], given
    if "://" in given and not given.startswith("file://"):
        parts = urlsplit(given)
        path, first = parts.path, parts.hostname or ""
    else:
        path, first = str(local_path(given).absolute()), ""
    words = [first, *filter(None, re.split(r"[/\\]", path))]
    words[-1:] = [] if words[-1] == FILE else [re.sub(r"\.ya?ml$", "", words[-1])]
    return re.sub(r"[^\w.-]+", "-", words[-1] if words else "").strip("-.") or "index", given

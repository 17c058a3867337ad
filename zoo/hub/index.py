"""An index: a file that says which checkpoints there are, what they are for and what their files hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from zoo.errors import CheckpointError
from zoo.files import locked, sha256, unwritable, write_text

HERE = Path(__file__).parent
SHIPPED = HERE / "checkpoints"
CONFIG, WEIGHTS, CARD, LICENCE = "config.yaml", "model.safetensors", "README.md", "LICENSE"
"""Files of a checkpoint's folder."""
SUMS = "SHA256SUMS"
"""Checksums of the others, as `sha256sum` writes them."""
OWN = "isegzoo"
"""Name of the index that comes with the package."""
PLAIN = re.compile(r"[A-Za-z0-9][\w.-]*")
"""Names of checkpoints and of their files: nothing that leaves a folder, nothing hidden."""
DIGEST = re.compile(r"[0-9a-f]{64}")
LISTS = ("task", "interaction", "data")


@dataclass(frozen=True)
class Entry:
    """One checkpoint of an index.

    Attributes:
        title: one line for people.
        licence: of the weights.
        files: sha256 of each file of the folder.
        mpp: micrometres per pixel of the training images, if known.
        url: folder that the files are downloaded from, `https://...` or `hf://org/repo@revision`; None: the folder of
            the checkpoint's name beside the index.
        task: what it segments: `nuclei`, `glands`, `region` ...
        interaction: what it is told: `click`, `scribble`, `squiggle`; nothing where it only segments by itself.
        data: the data sets it was trained on.
        metrics: what it reached on test images, by what was measured.
        size: bytes of all files, if known.
    """

    title: str
    licence: str
    files: dict[str, str]
    mpp: float | None = None
    url: str | None = None
    task: tuple[str, ...] = ()
    interaction: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    metrics: dict[str, float] | None = None
    size: int | None = None


@dataclass(frozen=True)
class Index:
    """The entries of an index file.

    Attributes:
        name: what tells its checkpoints from those of the same name elsewhere: `lab` in `lab/nuclei`.
        base: address of the folder that the file lies in.
        entries: by the checkpoints' names.
    """

    name: str
    base: str
    entries: Mapping[str, Entry]

    def address(self, name: str) -> str:
        """Where the files of a checkpoint lie."""
        return self.entries[name].url or f"{self.base}/{name}"


def entries(path: Path = HERE / "index.yaml") -> dict[str, Entry]:
    """The checkpoints of an index file by name; by default of the one that comes with the package.

    Raises:
        CheckpointError: it can't be read, or is no index.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: not readable ({error}); give the file of an index") from None
    return parse(text, path)


def shipped() -> Index:
    """The index that comes with the package."""
    return Index(OWN, str(SHIPPED), entries())


def parse(text: str, source: object) -> dict[str, Entry]:
    """The checkpoints that the text of an index names; nothing of it is believed before it was looked at.

    Raises:
        CheckpointError: it is no index.
    """
    try:
        content = yaml.safe_load(text) or {}
    except (yaml.YAMLError, ValueError) as error:
        raise CheckpointError(f"{source}: no index ({str(error).splitlines()[0]}); it must be YAML") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{source}: no index; it must hold the name of each checkpoint with its entry")
    return {str(name): _entry(str(name), given, source) for name, given in content.items()}


def _entry(name: str, given: Any, source: object) -> Entry:
    before = f"{source}: {name}: "
    if not PLAIN.fullmatch(name):
        raise CheckpointError(f"{before}is no name of a checkpoint; letters, digits, '-', '_' and '.' are")
    known = {field.name for field in fields(Entry)}
    if not isinstance(given, dict) or not {"title", "licence", "files"} <= given.keys():
        raise CheckpointError(f"{before}needs a title, a licence and files with the sha256 of each")
    if given.keys() - known:
        unknown = ", ".join(sorted(map(str, given.keys() - known)))
        raise CheckpointError(f"{before}says {unknown}, which this version does not know; is it of a newer one?")
    for key in ("title", "licence", "url"):
        if not isinstance(given.get(key), str) and (key != "url" or given.get(key) is not None):
            raise CheckpointError(f"{before}{key} must be a text, in quotes where it looks like a number")
    for key in LISTS:
        if not isinstance(given.get(key) or [], list):
            raise CheckpointError(f"{before}{key} must be a list, as [nuclei, glands]")
    if not isinstance(given.get("metrics") or {}, dict):
        raise CheckpointError(f"{before}metrics must name each number with what was measured")
    files = given["files"]
    if not isinstance(files, dict) or not files:
        raise CheckpointError(f"{before}files must name each file with its sha256")
    for file, digest in files.items():
        if not PLAIN.fullmatch(str(file)):
            raise CheckpointError(f"{before}{file!r} is no name of a file in its folder")
        if not DIGEST.fullmatch(str(digest)):
            raise CheckpointError(f"{before}{file}: {digest!r} is no sha256, which has 64 hexadecimal digits")
    numbers = [given.get("mpp"), given.get("size"), *(given.get("metrics") or {}).values()]
    if any(value is not None and not isinstance(value, int | float) for value in numbers):
        raise CheckpointError(f"{before}mpp, size and metrics must be numbers")
    lists = {key: tuple(map(str, given[key] or ())) for key in LISTS if key in given}
    return Entry(**{**given, **lists})


def write_entry(path: Path, name: str, entry: Entry) -> None:
    """Add an entry to an index file, or replace it; the others stay, also those that another process adds meanwhile.

    Raises:
        DataError: the place can't be written to.
    """
    given = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(entry).items()}
    try:
        lock = locked(path, f"{path}: another process writes to it; waiting for it")
    except OSError as error:
        raise unwritable(path, error) from None
    with lock:
        content = yaml.safe_load(path.read_text()) if path.is_file() else None
        write_text(path, yaml.safe_dump({**(content or {}), name: given}, sort_keys=False))


def checksums(folder: Path) -> dict[str, str]:
    """sha256 of each file of a folder, except hidden ones and those that hold it."""
    files = (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith("."))
    return {path.name: sha256(path) for path in files if path.name != SUMS}

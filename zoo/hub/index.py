"""Which checkpoints exist, where they come from and how they are verified."""

from __future__ import annotations

import hashlib
import os
import shutil
import urllib.request
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from zoo.errors import CheckpointError

HERE = Path(__file__).parent
SHIPPED = HERE / "checkpoints"


@dataclass(frozen=True)
class Entry:
    """One checkpoint of the index.

    Attributes:
        title: one line for people.
        licence: of the weights.
        mpp: micrometres per pixel of the training images, if known.
        files: sha256 of each file of the folder.
        url: folder to download the files from; None when it only comes with the repository.
    """

    title: str
    licence: str
    files: dict[str, str]
    mpp: float | None = None
    url: str | None = None


@cache
def entries(path: Path = HERE / "index.yaml") -> dict[str, Entry]:
    """The checkpoints of the index by name."""
    return {name: Entry(**fields) for name, fields in (yaml.safe_load(path.read_text()) or {}).items()}


def cache_folder() -> Path:
    """Where downloads are kept: `ISEGZOO_CACHE`, or the user's cache folder."""
    root = os.environ.get("ISEGZOO_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "isegzoo"
    return Path(root)


def locate(name: str) -> Path:
    """The verified folder of a checkpoint: shipped, cached or downloaded; or a folder given by its path.

    Raises:
        CheckpointError: unknown name, failed download, or a file that does not have its checksum.
    """
    if name not in entries():
        folder = Path(name)
        if folder.is_dir():
            return folder
        known = ", ".join(sorted(entries())) or "none"
        raise CheckpointError(f"no checkpoint or folder {name!r}; known checkpoints: {known}")
    entry = entries()[name]
    folder = SHIPPED / name if (SHIPPED / name).is_dir() else cache_folder() / name
    if not folder.is_dir():
        if entry.url is None:
            raise CheckpointError(f"{name} comes with the repository, not with this installation; install from a clone")
        download(entry, folder)
    for file, expected in entry.files.items():
        found = _sha256(folder / file)
        if found != expected:
            raise CheckpointError(
                f"{folder / file}: sha256 is {found or 'missing'}, expected {expected}; delete {folder} and try again"
            )
    return folder


def download(entry: Entry, folder: Path) -> None:
    """Fetch all files of an entry; the folder appears only when every checksum is right."""
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    temporary.mkdir(parents=True)
    try:
        for file, expected in entry.files.items():
            try:
                with urllib.request.urlopen(f"{entry.url}/{file}", timeout=60) as source:
                    with (temporary / file).open("wb") as target:
                        shutil.copyfileobj(source, target)
            except OSError as error:
                raise CheckpointError(f"{entry.url}/{file}: download failed ({error}); try again later") from None
            if _sha256(temporary / file) != expected:
                raise CheckpointError(f"{entry.url}/{file}: wrong checksum after download; try again later")
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _sha256(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

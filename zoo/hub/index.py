"""Which checkpoints exist, where they come from and how they are verified."""

from __future__ import annotations

import os
import shutil
import tempfile
import urllib.request
from dataclasses import asdict, dataclass
from functools import cache
from http.client import HTTPException
from pathlib import Path

import yaml
from rich.progress import DownloadColumn, Progress

from zoo.errors import CheckpointError
from zoo.files import sha256, write_text
from zoo.progress import ProgressBar

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
        found = sha256(folder / file) if (folder / file).is_file() else None
        if found != expected:
            raise CheckpointError(
                f"{folder / file}: sha256 is {found or 'missing'}, expected {expected}; delete {folder} and try again"
            )
    return folder


def download(entry: Entry, folder: Path) -> None:
    """Fetch all files of an entry, with a progress bar; the folder appears only when every checksum is right.

    Raises:
        CheckpointError: a file can't be fetched, or has another checksum.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
    columns = (*Progress.get_default_columns(), DownloadColumn())
    try:
        with ProgressBar(*columns) as progress:
            for file, expected in entry.files.items():
                address = f"{entry.url}/{file}"
                try:
                    _fetch(address, temporary / file, progress)
                except (OSError, ValueError, HTTPException) as error:
                    raise CheckpointError(f"{address}: download failed ({error}); try again later") from None
                if sha256(temporary / file) != expected:
                    raise CheckpointError(f"{address}: wrong checksum after download; try again later")
        temporary.chmod(0o755)  # mkdtemp's folders are private, a cache may be shared
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another process was faster, with the same files
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _fetch(address: str, path: Path, progress: Progress) -> None:
    with urllib.request.urlopen(address, timeout=60) as source, path.open("wb") as target:
        length = source.headers.get("Content-Length")
        task = progress.add_task(path.name, total=None if length is None else int(length))
        while block := source.read(1 << 18):
            target.write(block)
            progress.advance(task, len(block))


def write_entry(path: Path, name: str, entry: Entry) -> None:
    """Add an entry to an index file, or replace it; the others stay."""
    content = yaml.safe_load(path.read_text()) if path.is_file() else None
    content = {**(content or {}), name: asdict(entry)}
    write_text(path, yaml.safe_dump(content, sort_keys=False))
    entries.cache_clear()


def checksums(folder: Path) -> dict[str, str]:
    """sha256 of each file of a folder."""
    files = (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith("."))
    return {path.name: sha256(path) for path in files}

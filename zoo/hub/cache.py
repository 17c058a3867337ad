"""Folders of downloaded files: complete or not there, verified, and made by one process at a time."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from rich.progress import DownloadColumn, Progress

from zoo.errors import CheckpointError
from zoo.files import locked, sha256
from zoo.hub.fetch import BrokenOffError, MissingError, fetch_file, fetch_text, not_writable
from zoo.hub.index import CARD, CONFIG, DIGEST, LICENCE, SUMS, WEIGHTS
from zoo.progress import ProgressBar

NEEDED, WELCOME = (CONFIG, WEIGHTS), (CARD, LICENCE)
"""Files of a checkpoint folder: without these it is none, these may be missing."""


def cache_folder() -> Path:
    """Where downloads are kept: `ISEGZOO_CACHE`, or the user's cache folder."""
    root = os.environ.get("ISEGZOO_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "isegzoo"
    return Path(root)


def place(name: str, content: str) -> Path:
    """The folder of the cache for what has this name and this content; a changed content has another."""
    readable = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "checkpoint"
    return cache_folder() / f"{readable[-60:]}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def download(folder: Path, address: str, files: Mapping[str, str], size: int | None = None) -> None:
    """Fetch the files of a folder, if it is not there; it appears only when every checksum is right.

    What broke off is kept hidden beside it, and the next call goes on. Of several processes one downloads and the
    others wait.

    Args:
        folder: to make.
        address: of the folder on the web.
        files: sha256 of each.
        size: bytes that they have together, if known.

    Raises:
        CheckpointError: a file can't be fetched, has another checksum, or can't be written.
    """
    with filling(folder) as (work, progress):
        if work is None:
            return
        for file, digest in files.items():
            if not (work / file).is_file() or sha256(work / file) != digest:
                fetch_file(f"{address}/{file}", work / file, progress, digest, size)


def web_folder(address: str) -> Path:
    """The verified folder of an address that no index names.

    The checksums are those of its `SHA256SUMS`; where it has none, those of the first download, which a later one of
    the same address has to have.
    """
    if not urlsplit(address).hostname:
        raise CheckpointError(f"{address}: names no server; write https://HOST/FOLDER")
    address = address.rstrip("/")
    folder = place(address.split("://", 1)[1], address)
    if not folder.is_dir():
        given = _sums_of(address)
        with filling(folder) as (work, progress):
            if work is not None:
                for file in (*NEEDED, *WELCOME):
                    if given is None or file in given:
                        _fetch_or_miss(address, file, work, progress, (given or {}).get(file))
                found = {file: sha256(work / file) for file in (*NEEDED, *WELCOME) if (work / file).is_file()}
                (work / SUMS).write_text("".join(f"{digest}  {file}\n" for file, digest in found.items()))
    verify(folder, read_sums((folder / SUMS).read_text(), folder / SUMS) if (folder / SUMS).is_file() else {SUMS: ""})
    return folder


def read_sums(text: str, source: object) -> dict[str, str]:
    """Checksums of a checkpoint's files by name; what else a folder holds is left out.

    Raises:
        CheckpointError: no such list, or one without what a checkpoint needs.
    """
    found = {}
    for line in text.splitlines():
        digest, _, file = line.partition(" ")
        file = file.strip().removeprefix("*").removeprefix("./")
        if file in (*NEEDED, *WELCOME) and DIGEST.fullmatch(digest):
            found[file] = digest
    missing = [file for file in NEEDED if file not in found]
    if missing:
        raise CheckpointError(f"{source}: lacks the sha256 of {' and '.join(missing)}; make it with `sha256sum`")
    return found


def _sums_of(address: str) -> dict[str, str] | None:
    try:
        return read_sums(fetch_text(f"{address}/{SUMS}"), f"{address}/{SUMS}")
    except MissingError:
        return None


def _fetch_or_miss(address: str, file: str, work: Path, progress: Progress, digest: str | None) -> None:
    try:
        fetch_file(f"{address}/{file}", work / file, progress, digest)
    except MissingError:
        if file in NEEDED or digest is not None:
            raise


@contextmanager
def filling(folder: Path) -> Iterator[tuple[Path | None, Progress]]:
    """A folder to write to that takes the name of `folder` at the end; None where that is there already.

    Raises:
        CheckpointError: the place can't be written to.
    """
    columns = (*Progress.get_default_columns(), DownloadColumn())
    if folder.is_dir():  # also where nothing can be written, a lock neither
        yield None, ProgressBar(*columns)
        return
    work = folder.with_name(f".{folder.name}.part")
    with _locked(folder):
        if folder.is_dir():
            yield None, ProgressBar(*columns)
            return
        try:
            work.mkdir(exist_ok=True)
            with ProgressBar(*columns) as progress:
                yield work, progress
            work.rename(folder)
        except BrokenOffError:
            raise
        except CheckpointError:
            shutil.rmtree(work, ignore_errors=True)
            raise
        except OSError as error:
            shutil.rmtree(work, ignore_errors=True)
            raise not_writable(work, error) from None


def _locked(folder: Path) -> AbstractContextManager[object]:
    try:
        return locked(folder, f"{folder.name}: another process downloads it; waiting for it")
    except OSError as error:
        raise not_writable(folder, error) from None


def verify(folder: Path, files: Mapping[str, str]) -> None:
    """Compare the files of a folder with their checksums.

    Raises:
        CheckpointError: one is missing or has another.
    """
    for file, expected in files.items():
        found = sha256(folder / file) if (folder / file).is_file() else None
        if found != expected:
            raise CheckpointError(
                f"{folder / file}: sha256 is {found or 'missing'}, expected {expected}; delete {folder} and try again"
            )

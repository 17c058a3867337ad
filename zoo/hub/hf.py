"""Checkpoints on Hugging Face: `hf://org/repo[@revision][/folder]`, through `huggingface_hub` and its cache."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import CheckpointError
from zoo.files import sha256
from zoo.hub.cache import NEEDED, WELCOME, cache_folder, read_sums, verify
from zoo.hub.index import SUMS

SCHEME = "hf://"
ADDRESS = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@([^/@]+))?((?:/[\w.-]+)*)/?")
COMMIT = re.compile(r"[0-9a-f]{40}")
TIMEOUT = 10.0
"""Seconds for an answer about a file."""


@dataclass(frozen=True)
class Place:
    """A folder of a repository.

    Attributes:
        repository: `org/repo`.
        revision: a commit, tag or branch; None: the newest.
        folder: in the repository; empty: its root.
    """

    repository: str
    revision: str | None
    folder: str

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"{SCHEME}{self.repository}{revision}{f'/{self.folder}' if self.folder else ''}"


def place(address: str) -> Place:
    """What an address means.

    Raises:
        CheckpointError: it is none.
    """
    found = ADDRESS.fullmatch(address)
    if found is None or ".." in address:
        raise CheckpointError(f"{address}: give hf://org/repo, hf://org/repo@revision or hf://org/repo@revision/folder")
    # A branch `a/b` is written `a%2Fb`, as in the addresses of the site.
    revision = found[2].replace("%2F", "/") if found[2] else None
    return Place(found[1], revision, found[3].strip("/"))


def fetch(where: Place, file: str) -> Path | None:
    """A file, verified, from the cache or downloaded; None where the repository has none of this name.

    Raises:
        CheckpointError: not to be had, or altered in the cache.
    """
    # Only now: it takes a while to import.
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    kept = cache_folder() / "huggingface"
    if where.revision is not None and COMMIT.fullmatch(where.revision):
        # A commit never changes: that it lacks a file is known without a connection, too.
        full = f"{where.folder}/{file}".lstrip("/")
        known = try_to_load_from_cache(where.repository, full, cache_dir=kept, revision=where.revision)
        if isinstance(known, str):
            _check(Path(known))
            return Path(known)
        if known is not None:
            return None
    try:
        path = hf_hub_download(
            where.repository,
            file,
            subfolder=where.folder or None,
            revision=where.revision,
            cache_dir=kept,
            endpoint=os.environ.get("HF_ENDPOINT"),
            etag_timeout=TIMEOUT,
            library_name="isegzoo",
        )
    except LocalEntryNotFoundError:
        raise CheckpointError(
            f"{where}: {file} is not in the cache and can't be downloaded now; try again when there is a connection, "
            "or give the path of a folder that `zoo download NAME --to FOLDER` made on another machine"
        ) from None
    except EntryNotFoundError:
        return None
    except Exception as error:  # of its own, of its HTTP library, of the disk
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"{where}: {file} can't be downloaded ({type(error).__name__}: {reason})") from None
    _check(Path(path))
    return Path(path)


def folder(address: str, files: tuple[str, ...] | None = None) -> Path:
    """The folder of a checkpoint; all its files are of one commit.

    Args:
        address: of the repository or of a folder in it.
        files: that it must have; None: what a checkpoint has, with the checksums of its `SHA256SUMS` if it has one.

    Raises:
        CheckpointError: not to be had, incomplete, or altered.
    """
    where = place(address)
    wanted = (*NEEDED, *WELCOME, SUMS) if files is None else files
    found: dict[str, Path] = {}
    for file in wanted:
        path = fetch(where, file)
        if path is None:
            if file in (NEEDED if files is None else files):
                raise CheckpointError(f"{where}: has no {file}; a checkpoint needs {' and '.join(NEEDED)}")
            continue
        found[file] = path
        where = pinned(where, path)
    here = found[wanted[0]].parent
    if files is None and SUMS in found:
        verify(here, read_sums(found[SUMS].read_text(), found[SUMS]))
    return here


def pinned(where: Place, path: Path) -> Place:
    """The same place at the commit that a file of it came from."""
    commit = path.parts[path.parts.index("snapshots") + 1]
    return Place(where.repository, commit, where.folder)


def _check(path: Path) -> None:
    """Compare a file of the cache with the checksum that it is kept under: sha256 of large files, else git's sha1.

    Raises:
        CheckpointError: it was altered, or the server sent another file.
    """
    kept = path.resolve()
    if kept.parent.name != "blobs":  # a system without links
        return
    if re.fullmatch(r"[0-9a-f]{64}", kept.name):
        right = sha256(kept) == kept.name
    elif re.fullmatch(r"[0-9a-f]{40}", kept.name):
        content = kept.read_bytes()
        right = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest() == kept.name
    else:
        right = True
    if not right:
        kept.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise CheckpointError(f"{path}: does not have its checksum; it was removed, try again")

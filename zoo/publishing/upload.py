"""Folders to Hugging Face, in one commit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo.errors import CheckpointError
from zoo.hub import hf
from zoo.hub.hf import Place


def make_repository(where: Place) -> None:
    """Make the repository, if it is not there.

    Raises:
        CheckpointError: `huggingface_hub` is not installed, nobody is logged in, or the server refuses.
    """
    with _telling(where):
        _api(where).create_repo(where.repository, exist_ok=True)


def upload(folder: Path, where: Place, message: str, index: Path | None = None, parent: str | None = None) -> str:
    """Upload the files of a folder, and the index of the folder above, in one commit; returns its full name.

    Args:
        folder: on this machine.
        where: to; its repository is there.
        message: of the commit.
        index: the file of an index, for the folder above `where`.
        parent: the commit that the index is made from; None: any.

    Raises:
        CheckpointError: as `make_repository`, or somebody has changed the repository since.
    """
    before = f"{where.folder}/" if where.folder else ""
    files = {f"{before}{path.name}": path for path in sorted(folder.iterdir())}
    if index is not None:
        files[f"{above(where).folder}/{index.name}".lstrip("/")] = index
    api = _api(where)
    from huggingface_hub import CommitOperationAdd

    with _telling(where):
        done = api.create_commit(
            where.repository,
            [CommitOperationAdd(name, str(path)) for name, path in files.items()],
            commit_message=message,
            revision=where.revision,
            parent_commit=parent,
        )
    return str(done.oid)


def above(where: Place) -> Place:
    """The folder that holds a folder of a repository."""
    return Place(where.repository, where.revision, where.folder.rpartition("/")[0])


def read_text(where: Place, file: str) -> tuple[str, str | None]:
    """A file of a repository, and the commit that it is of; empty where the repository has none of this name.

    Raises:
        CheckpointError: it can't be had.
    """
    path = hf.fetch(where, file)
    return ("", None) if path is None else (path.read_text(errors="replace"), hf.pinned(where, path).revision)


def _api(where: Place) -> Any:
    # Only now: it takes a while to import.
    try:
        from huggingface_hub import HfApi
    except ImportError:
        raise CheckpointError(f"{where}: needs huggingface_hub; `pip install huggingface_hub`") from None
    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"), library_name="isegzoo")


@contextmanager
def _telling(where: Place) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # of its own, of its HTTP library
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        refused = any(code in str(error) for code in ("401", "403", "token"))
        hint = (
            "log in with `hf auth login`, or set HF_TOKEN to a token that may write there"
            if refused
            else "try again later"
        )
        raise CheckpointError(
            f"{where}: can't be uploaded, and nothing was published ({type(error).__name__}: {reason}); {hint}"
        ) from None

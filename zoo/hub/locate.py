"""From what a person names to a folder that holds a verified checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from zoo.errors import CheckpointError
from zoo.hub import hf
from zoo.hub.cache import download, place, verify, web_folder
from zoo.hub.index import CONFIG, OWN
from zoo.hub.indices import Found, Indices, local_path


@dataclass(frozen=True)
class Located:
    """A checkpoint's folder.

    Attributes:
        folder: where it lies, verified if it was downloaded.
        own: whether it is a path of this machine that the person named.
    """

    folder: Path
    own: bool


def is_address(name: str) -> bool:
    """Whether a name says where on the web, or in which file, to look."""
    return "://" in name


def is_web(address: str) -> bool:
    """Whether what lies there has to be downloaded."""
    return is_address(address) and not address.startswith("file://")


def locate(name: str, further: Sequence[str] | None = None) -> Path:
    """The verified folder of a checkpoint: shipped, cached or downloaded; or a folder given by its path.

    Args:
        name: of an index; path of a folder; `hf://org/repo[@revision][/folder]`; or `https://...` of a folder.
        further: addresses of further indices; None: those of `ZOO_INDEX`.

    Raises:
        CheckpointError: unknown name, failed download, or a file that does not have its checksum.
    """
    return located(name, Indices(further)).folder


def located(name: str, indices: Indices) -> Located:
    """As `locate`, and whether it is the person's own folder.

    Further indices are asked last, so that what comes with the package, and a folder, need no connection.
    """
    if name.startswith(hf.SCHEME):
        return Located(hf.folder(name), own=False)
    if is_web(name):
        return Located(web_folder(name), own=False)
    path = local_path(name)
    if path.is_dir() and ("/" in name or name not in _own(indices)):
        return Located(path, own=True)
    found = None if is_address(name) or name.startswith((".", "/")) else indices.find(name)
    if found is None:
        raise CheckpointError(f"no checkpoint or folder {name!r}; {_hint(name, indices)}")
    return Located(folder_of(found), own=False)


def checkpoint_folder(name: str, indices: Indices) -> Path:
    """As `locate`, where a folder has to be a checkpoint's.

    Raises:
        CheckpointError: as `locate`; a folder of something else.
    """
    folder = located(name, indices).folder
    if not (folder / CONFIG).is_file():
        raise CheckpointError(f"{folder}: no checkpoint, for want of {CONFIG}; name the folder that holds it")
    return folder


def folder_of(found: Found) -> Path:
    """The verified folder of an index's checkpoint, downloaded if need be."""
    files, address = found.entry.files, found.address
    if address.startswith(hf.SCHEME):
        folder = hf.folder(address, tuple(files))
    elif is_web(address):
        folder = cached(found)
        download(folder, address, files, found.entry.size)
    else:
        folder = local_path(address)
        if not folder.is_dir():
            if found.index.name == OWN:
                raise CheckpointError(
                    f"{found.name} comes with the repository, not with this installation; install from a clone"
                )
            raise CheckpointError(f"{folder}: the index {found.index.name!r} names it, but it is not there")
    verify(folder, files)
    return folder


def cached(found: Found) -> Path:
    """The folder of the cache for a checkpoint; once its files change in the index, it is another."""
    return place(found.name, "".join(f"{digest} {file}\n" for file, digest in sorted(found.entry.files.items())))


def _own(indices: Indices) -> set[str]:
    return set(next(indices.all()).entries)


def _hint(name: str, indices: Indices) -> str:
    known = list(indices.listed())
    close = get_close_matches(name, known, n=3, cutoff=0.6)
    if close:
        return f"is {' or '.join(close)} meant? `zoo models` lists all"
    if name.count("/") == 1 and not name.startswith((".", "/")):
        return f"of Hugging Face, write hf://{name}; `zoo models` lists the known checkpoints"
    return f"known checkpoints: {', '.join(sorted(known)) or 'none'}"

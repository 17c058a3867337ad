"""Where a folder is published: complete or not there, on this disk or on Hugging Face."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.errors import CheckpointError
from zoo.files import write_text
from zoo.hub.index import SUMS, checksums


@contextmanager
def replacing_folder(folder: Path, ours: Collection[str]) -> Iterator[Path]:
    """A folder to write to that takes the name of `folder` when all went well, in place of an older one.

    Args:
        folder: to make.
        ours: names of files that an older one may hold; another is somebody's, and nothing is replaced.

    Raises:
        CheckpointError: there is a folder of something else, or the place can't be written to.
    """
    if folder.exists():
        others = [path.name for path in folder.iterdir() if path.name not in ours] if folder.is_dir() else [folder.name]
        if others:
            raise CheckpointError(
                f"{folder}: holds {', '.join(sorted(others)[:3])}, which publishing would remove; name another folder"
            )
    work, old = (folder.with_name(f".{folder.name}.{os.getpid()}.{kind}") for kind in ("part", "old"))
    try:
        work.mkdir(parents=True)
        yield work
        if folder.exists():
            folder.rename(old)
        work.rename(folder)
    except OSError as error:
        raise CheckpointError(f"{folder}: can't be written ({error.strerror or error}); choose another place") from None
    finally:
        if old.exists() and not folder.exists():  # after an error, or Ctrl-C between the two
            old.rename(folder)
        for each in (work, old):
            shutil.rmtree(each, ignore_errors=True)


def write_sums(folder: Path) -> dict[str, str]:
    """Write the checksums of a folder's files beside them, as `sha256sum` does, and return them."""
    found = checksums(folder)
    write_text(folder / SUMS, "".join(f"{digest}  {file}\n" for file, digest in found.items()))
    return found

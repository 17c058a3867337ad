"""Files that appear under their names only when complete; which files are meant, and their checksums."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from zoo.errors import ConfigError, DataError

EXPERIMENTS = "experiments"
PACKAGE = Path(__file__).resolve().parent


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path of the same suffix beside `path` to write to, which takes its name when all went well; makes its folder.

    Raises:
        DataError: the place can't be written to.
    """
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        with suppress(OSError):  # where it could not be made, it can't be removed either
            temporary.unlink()


def keep_inputs(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuse to write over what is read.

    Raises:
        ConfigError: an output is an input, under whatever path.
    """
    read = {path.resolve() for path in inputs}
    for path in outputs:
        if path.resolve() in read:
            raise ConfigError(f"{path}: is read, and would be written over; choose another name or folder to write to")


def make_folder(path: Path) -> None:
    """Make a folder that is to be written to after long work, and try whether it can be.

    Raises:
        DataError: it can't be.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise unwritable(path, error) from None


def unwritable(path: Path, error: OSError) -> DataError:
    """What to say of a place that can't be written to."""
    return DataError(f"{path}: can't be written ({error.strerror or error}); choose another folder")


def locked(path: Path, waiting: str) -> AbstractContextManager[object]:
    """Until the context ends, no other process does what is done to `path`; makes its folder.

    Args:
        path: of a file or a folder.
        waiting: what to say when another process has to be waited for.

    Raises:
        OSError: the place can't be written to, or knows no locks.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        try:
            return lock.acquire(timeout=0)
        except Timeout:
            print(waiting, file=sys.stderr)
            return lock.acquire()
    except NotImplementedError:
        raise OSError("it knows no locks") from None


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file and make its folder.

    Raises:
        DataError: the place can't be written to.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """`write_bytes` of UTF-8 text."""
    write_bytes(path, content.encode())


def shipped(path: Path) -> Path:
    """The path of what a path means: where nothing is there, `experiments/...` is what comes with the package.

    So that experiments, and the data and lists that they name, are found from any folder.
    """
    if path.parts[:1] != (EXPERIMENTS,) or path.exists():
        return path
    # Of a wheel they lie in the package, in a clone beside it.
    return next((home / path for home in (PACKAGE, PACKAGE.parent) if (home / path).exists()), path)


def is_input(path: Path) -> bool:
    """Whether a file found in a folder is meant: names that begin with a dot are the system's ('._a.png')."""
    return not path.name.startswith(".")


def stem_of(path: Path) -> str:
    """A file's name without its ending, composed (NFC), since disks write 'é' in two ways."""
    return unicodedata.normalize("NFC", path.stem)


def sha256(path: Path) -> str:
    """Sha256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

"""Files that appear under their names only when complete."""

from __future__ import annotations

import os
from pathlib import Path

from zoo.errors import DataError


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file and make its folder.

    Raises:
        DataError: the place can't be written to.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"{path}: can't be written ({error.strerror}); choose another folder") from None
    finally:
        if temporary.parent.is_dir():
            temporary.unlink(missing_ok=True)


def write_text(path: Path, content: str) -> None:
    """`write_bytes` of UTF-8 text."""
    write_bytes(path, content.encode())

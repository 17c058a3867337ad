"""The file that HDF5 writes to, so that a full disk is a message and not a crash."""

import errno
import io
from pathlib import Path
from typing import Any

from zoo.errors import StoreError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Output(io.FileIO):
    """File to give to `h5py.File`; after a failed write it takes everything and keeps nothing.

    HDF5 can't close a file whose last bytes were not taken: it crashes the interpreter on the way out. So the
    failure is kept here, and `check` tells of it.

    Args:
        temporary: file to write.
        path: the name it will get, for messages.
    """

    def __init__(self, temporary: Path, path: Path) -> None:
        super().__init__(temporary, "w+")
        self.path = path
        self.failure: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all bytes of a buffer, where `io.FileIO` may write some of them."""
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while left and self.failure is None:
                left = left[super().write(left) :]
        except OSError as error:
            self.failure = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """As `io.FileIO`, except after a failure."""
        try:
            if self.failure is None:
                return super().truncate(size)
        except OSError as error:
            self.failure = error
        return size or 0

    def check(self) -> None:
        """Raise the failure that was kept, if any.

        Raises:
            StoreError: the disk is full, or another reason.
        """
        if self.failure is not None:
            raise unwritable(self.path, self.failure) from None


def unwritable(path: Path, error: OSError) -> StoreError:
    """Error for a store that can't be written."""
    if error.errno in _FULL:
        problem, remedy = "the disk is full", "make room there, or choose another folder"
    else:
        problem, remedy = "can't be written", "choose another folder"
    return StoreError(f"{path}: {problem} ({error.strerror}); {remedy}")

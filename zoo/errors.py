"""Named errors. Each says which input is wrong, what is wrong with it and what to do next."""

from collections.abc import Sequence


def first_few(values: Sequence[object], most: int, separator: str = ", ") -> str:
    """The first of them, for a message, and how many more there are."""
    shown = separator.join(map(str, values[:most]))
    return shown + (f" and {len(values) - most} more" if len(values) > most else "")


class ZooError(Exception):
    """Base of every error a user can cause; the command line prints it without a traceback, exit code 2."""


class DataError(ZooError):
    """A file or folder can't be used as data."""


class NotRgbError(DataError):
    """A picture that can be seen only once somebody says what of it is red, green and blue.

    Args:
        wrong: what it is.
        options: of the command line that would help.
    """

    def __init__(self, wrong: str, options: str) -> None:
        super().__init__(f"{wrong}; {options}")
        self.wrong = wrong


class StoreError(DataError):
    """An HDF5 store is missing, truncated or breaks the schema."""


class SplitError(DataError):
    """A patient (or field) stands in two splits, or a split has no samples."""


class InteractionError(ZooError):
    """Interactions are malformed or do not fit their image."""


class ConfigError(ZooError):
    """An experiment or option can't be carried out as written."""


class CheckpointError(ZooError):
    """A checkpoint is unknown, incomplete, altered or does not fit its network."""


class NotTrainableError(ZooError):
    """`fit` was asked of a method without parameters to train."""


class ProcessLostError(ZooError):
    """One of several processes was killed or failed, so that the others can't go on."""


class MetricError(ZooError):
    """Label maps or measurements can't be scored as given."""


class ResultError(ZooError):
    """A result file is missing, malformed or stale."""

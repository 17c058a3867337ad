"""The options of verbs that load or look up checkpoints."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

INDEX = """\
further indices:
  An index is a file that names checkpoints with the checksums of their files. `--index ADDRESS`, or ZOO_INDEX (several
  are separated by commas), names further ones: a file or folder, https://lab.org/zoo/index.yaml, or hf://org/repo.
  Write `lab=ADDRESS` to call its checkpoints `lab/NAME` where another index has the same name.
"""


def add_index_argument(parser: argparse.ArgumentParser) -> None:
    """`--index ADDRESS`, any number of times."""
    parser.add_argument(
        "--index", action="append", metavar="ADDRESS", help="a further index; default: those of ZOO_INDEX"
    )


@contextmanager
def told(command: str) -> Iterator[None]:
    """Within, warnings of the hub become a line on stderr each."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            yield
        finally:
            for warning in caught:
                print(f"{command}: {warning.message}", file=sys.stderr)


def size(number: int | None) -> str:
    """Bytes for people."""
    return "" if number is None else f"{number / 1e6:.1f} MB"

"""Runs `data_prep.cli` without the command `zoo`."""

import sys

from zoo.commands.guard import guarded

NAME = "python -m data_prep"


def prepare() -> int:
    """Import and run it."""
    from data_prep.cli import main

    return main(prog=NAME)


if __name__ == "__main__":
    sys.exit(guarded(NAME, prepare))

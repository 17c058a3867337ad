"""How a command ends: its exit code, and one line instead of a traceback where a person can mend what went wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable

from zoo.commands.interrupts import interruptible
from zoo.errors import ZooError


def guarded(name: str, command: Callable[[], int]) -> int:
    """Exit code of a command: its own; 2 after an error that a user can mend, told on stderr; 130 after Ctrl-C.

    Args:
        name: of the command, as messages begin with it.
        command: what to run; importing what it needs belongs inside, since that takes long enough for a Ctrl-C.
    """
    try:
        with interruptible():
            return command()
    except ZooError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130

"""How a command ends: its exit code, and one line instead of a traceback where a person can mend what went wrong."""

from __future__ import annotations

import errno
import os
import select
import sys
from collections.abc import Callable
from contextlib import suppress

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
            code = command()
            if sys.stdout is not None:
                sys.stdout.flush()  # here, and not when Python ends, so that a full disk is told in one line
            return code
    except BrokenPipeError:
        if not _reader_gone():
            raise
        _discard_output()
        return 141  # what a shell gives a command whose reader has gone, as `| head` does
    except OSError as error:
        if error.errno == errno.ENOSPC:
            _discard_output()
            print(f"{name}: {error.strerror}; what was written is incomplete", file=sys.stderr)
        elif error.filename is not None:
            print(f"{name}: {error.filename}: {error.strerror}; check its name and who may use it", file=sys.stderr)
        else:
            raise
        return 2
    except ZooError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130


def _reader_gone() -> bool:
    """Whether it is stdout's pipe that broke, and no other one of the program's."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except (AttributeError, OSError, ValueError):  # Windows has no poll, and replaced streams no file
        return True


def _discard_output() -> None:
    """Let nothing more be written, or Python would fail once more at its end."""
    with suppress(AttributeError, OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

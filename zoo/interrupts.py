"""Ctrl-C that is never lost."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs


@contextmanager
def interruptible() -> Iterator[None]:
    """Within, a Ctrl-C that arrives where Python ignores exceptions is raised again a moment later.

    In a weakref's callback or in `__del__` no exception can be raised: Python hands it to `sys.unraisablehook`, which
    prints it, and the command would go on as if nobody had stopped it.
    """
    ignored = sys.unraisablehook

    def again(unraisable: UnraisableHookArgs) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            # From another thread and to the main one: raised here it would be ignored, too, and a main thread that
            # waits for something must be woken.
            threading.Timer(0.01, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
        else:
            ignored(unraisable)

    sys.unraisablehook = again
    try:
        yield
    finally:
        sys.unraisablehook = ignored

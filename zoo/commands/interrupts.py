"""Ctrl-C that is never lost."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs


def _send() -> None:
    main = threading.main_thread().ident
    if sys.platform == "win32" or main is None:
        _thread.interrupt_main()
    else:
        signal.pthread_kill(main, signal.SIGINT)  # wakes it, if it waits


@contextmanager
def interruptible() -> Iterator[None]:
    """Within, a Ctrl-C that arrives where Python ignores exceptions is raised again a moment later.

    In a weakref's callback or in `__del__` no exception can be raised: Python hands it to `sys.unraisablehook`, which
    prints it, and the command would go on as if nobody had stopped it.
    """
    ignored = sys.unraisablehook

    def again(unraisable: UnraisableHookArgs) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            # From another thread: raised here it would be ignored, too.
            threading.Timer(0.01, _send).start()
        else:
            ignored(unraisable)

    sys.unraisablehook = again
    try:
        yield
    finally:
        sys.unraisablehook = ignored

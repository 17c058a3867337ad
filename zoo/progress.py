"""How long work says how far it is: a bar on a terminal, elsewhere a line in the log now and then."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

EVERY = 10.0  # seconds between two lines


class Lines:
    """Tells on stderr how far work is, once in ten seconds at most."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def tell(self, what: str, done: float, total: float | None) -> None:
        """A line, if it is time for one."""
        now = time.monotonic()
        if now - self._last < EVERY:
            return
        self._last = now
        of = "" if total is None or math.isinf(total) else f" of {total:,.0f}"
        print(f"{what} {done:,.0f}{of}", file=sys.stderr, flush=True)


class ProgressBar(Progress):
    """Bars on stderr if that is a terminal; else lines such as 'objects 320 of 2,000', one in ten seconds at most.

    Args:
        columns: of the bars; none: what it is, the bar, how many of how many, and the time that is left.
        console: on stderr.
        transient: whether the bars are gone at the end.
    """

    def __init__(self, *columns: str | ProgressColumn, console: Console | None = None, transient: bool = True) -> None:
        console = console or Console(stderr=True)
        plain = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        super().__init__(*(columns or plain), console=console, transient=transient, disable=not console.is_terminal)
        self._lines = Lines()

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Also say it, where there are no bars and it is time to."""
        super().update(task_id, **changes)
        self._tell(task_id)

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Also say it, where there are no bars and it is time to."""
        super().advance(task_id, advance)
        self._tell(task_id)

    def _tell(self, task_id: TaskID) -> None:
        if self.disable:
            task = self._tasks[task_id]
            self._lines.tell(task.description, task.completed, task.total)

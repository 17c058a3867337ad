"""Ctrl-C in places where Python ignores exceptions, and errors that commands tell in a line."""

import errno
import os
import signal
import threading
import weakref
from functools import partial

import pytest

from zoo.commands.guard import guarded
from zoo.commands.interrupts import interruptible


class Thing:
    pass


def interrupt(_: object) -> None:
    signal.raise_signal(signal.SIGINT)


def drop(callback) -> None:
    """Run a callback where what it raises is ignored."""
    thing = Thing()
    reference = weakref.ref(thing, callback)
    del thing
    assert reference() is None


def test_ctrl_c_in_a_weakref_callback_stops_the_work():
    def work() -> None:
        drop(interrupt)
        threading.Event().wait(10)  # as work that waits for a thread or a process

    with interruptible(), pytest.raises(KeyboardInterrupt):
        work()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_other_ignored_exceptions_are_told_as_before(monkeypatch):
    told = []
    monkeypatch.setattr("sys.unraisablehook", told.append)
    with interruptible():
        drop(lambda _: 1 / 0)
    assert [args.exc_type for args in told] == [ZeroDivisionError]
    drop(lambda _: 1 / 0)
    assert len(told) == 2  # the hook is back


def test_a_file_that_can_not_be_used_is_told_in_a_line(capsys):
    def refused(number: int, *name: str) -> int:
        raise OSError(number, os.strerror(number), *name)

    for number in (errno.EACCES, errno.ENAMETOOLONG):
        assert guarded("zoo x", partial(refused, number, "a.png")) == 2
        assert capsys.readouterr().err == f"zoo x: a.png: {os.strerror(number)}; check its name and who may use it\n"
    with pytest.raises(OSError, match="Input/output"):  # of no file: nobody could tell what to mend
        guarded("zoo x", partial(refused, errno.EIO))

"""Ctrl-C in places where Python ignores exceptions."""

import signal
import threading
import weakref

import pytest

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

"""Starts the processes of a sweep: so many at a time here, or on the workers of a Dask cluster."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from zoo.cluster import connected
from zoo.comparison.sweep.plan import Run

LOG = "log.txt"
MEMBER = "zoo.comparison.sweep.member"
Outcome = tuple[Run, str]
"""A run and why it failed; empty where it did not."""


def carry_out(runs: Sequence[Run], workers: int, scheduler: str | None = None) -> Generator[Outcome]:
    """Start the runs, and yield each when it is over.

    A run that fails does not stop the others. When this is closed early, what was started here is stopped.

    Args:
        runs: unfinished ones.
        workers: processes at a time, where there is no scheduler.
        scheduler: address of a Dask cluster whose workers see the same folders.

    Raises:
        ConfigError: no scheduler answers at the address.
    """
    return _on_cluster(runs, scheduler) if scheduler else _here(runs, workers)


def why(folder: Path, code: int) -> str:
    """Why a run failed: the last line of its log; empty where it did not fail."""
    if code == 0:
        return ""
    lines = (folder / LOG).read_text(errors="replace").split("\n") if (folder / LOG).is_file() else []
    said = next((line for line in reversed(lines) if line.strip()), "it said nothing")
    return f"{said.strip()} ({folder / LOG})"


class Processes:
    """The processes that are running, so that they can be stopped."""

    def __init__(self) -> None:
        self._lock, self._stop = Lock(), False
        self._running: set[Any] = set()

    def run(self, run: Run) -> str:
        """Start a run's process and wait for it."""
        # What is only evaluated, on one device, saves the seconds of all imports.
        repeated = run.fits or run.starts_others or sys.platform == "win32"
        process = _started(run) if repeated else _forked(run)
        with self._lock:
            if self._stop:
                process.kill()
            self._running.add(process)
        code = _wait(process)
        with self._lock:
            self._running.discard(process)
        return why(run.folder, code)

    def kill(self) -> None:
        """Stop all, and those that are started later."""
        with self._lock:
            self._stop = True
            for process in self._running:
                with suppress(OSError, ValueError):
                    process.kill()


def _here(runs: Sequence[Run], workers: int) -> Generator[Outcome]:
    processes = Processes()
    with _threads(workers), ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(processes.run, run): run for run in runs}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            for future in futures:
                future.cancel()
            processes.kill()


@contextmanager
def _threads(workers: int) -> Iterator[None]:
    """Share the cores among the processes, where nobody has said how."""
    name = "OMP_NUM_THREADS"
    before = os.environ.get(name)
    if before is None and workers > 1:
        os.environ[name] = str(max(1, (os.cpu_count() or 1) // workers))
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)


def _started(run: Run, cwd: str | None = None) -> subprocess.Popen[bytes]:
    with (run.folder / LOG).open("ab") as log:
        command = [sys.executable, "-m", MEMBER, str(run.folder)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, cwd=cwd)


def _forked(run: Run) -> Any:
    from zoo.comparison.sweep.member import forked

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([MEMBER])
    process = context.Process(target=forked, args=(run.folder, run.folder / LOG))
    process.start()
    return process


def _wait(process: Any) -> int:
    if isinstance(process, subprocess.Popen):
        return process.wait()
    process.join()
    return int(process.exitcode)


def _on_worker(run: Run, cwd: str) -> str:
    """What a worker of a cluster does."""
    try:
        return why(run.folder, _started(run, cwd).wait())
    except OSError as error:
        return f"{run.folder}: {error}; the workers of a cluster need the same folders"


def _on_cluster(runs: Sequence[Run], scheduler: str) -> Generator[Outcome]:
    from distributed import as_completed as completed  # only here: it takes a second

    with connected(scheduler) as client:
        task: Callable[[Run], str] = partial(_on_worker, cwd=os.getcwd())
        futures = client.map(task, runs, pure=False)
        known = dict(zip((future.key for future in futures), runs, strict=True))
        try:
            for future in completed(futures):
                reason = future.exception()
                yield known[future.key], future.result() if reason is None else f"{type(reason).__name__}: {reason}"
        finally:
            client.cancel(futures)

"""One run of a sweep, in a process of its own: `python -m zoo.comparison.sweep.member FOLDER`."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from multiprocessing import parent_process
from pathlib import Path

from filelock import FileLock

from zoo.comparison.experiment import evaluate, prepare
from zoo.comparison.sweep.plan import EXPERIMENT, OUTLINES, RESULT, TRACES, Run
from zoo.config.cli import run
from zoo.config.runs import CHECKPOINTS
from zoo.errors import NotTrainableError, ZooError
from zoo.evaluation.record import write_traces
from zoo.files import write_text

TRAINED, LOCK = "trained", ".lock"
"""Files of a run: its training is over; a process is at it."""


def carry_out(folder: Path) -> int:
    """Train, if it is to be and is not done, and evaluate: 0 when the result is there."""
    this = Run.read(folder)
    # A process of a sweep that was killed may be at its end still. Those of one training, on several devices, share it.
    first = os.environ.get("LOCAL_RANK", "0") == "0"
    with FileLock(folder / LOCK) if first else nullcontext():
        if not this.finished:
            if this.fits and not (folder / TRAINED).is_file():
                _fit(this)
            _evaluate(this)
    return 0


def _told(folder: Path) -> int:
    """Exit code; what a person can mend is the last line of the log."""
    try:
        return carry_out(folder)
    except ZooError as error:
        print(error, file=sys.stderr, flush=True)
        return 2


def _fit(this: Run) -> None:
    last = this.folder / CHECKPOINTS / "last.ckpt"
    resumed = ["--ckpt_path", str(last)] if last.is_file() else []
    try:
        run(["fit", "-c", str(this.folder / EXPERIMENT), *resumed])
    except NotTrainableError as error:
        print(f"{this.row} is evaluated as it is: {error}")
    write_text(this.folder / TRAINED, "")


def _evaluate(this: Run) -> None:
    experiment = prepare(this.address, this.limit)
    experiment.called = (this.row, this.title)
    evaluate(experiment, this.command)
    if experiment.result is None:  # of several processes the first one writes
        return
    places = {record.sample_id: experiment.dataset.describe(record.sample_id) for record in experiment.records}
    outlines = {record.sample_id: record.outline for record in experiment.records}
    write_traces(this.folder / TRACES, experiment.records, places)
    write_text(this.folder / OUTLINES, json.dumps(outlines))
    experiment.result.write(this.folder / RESULT)  # last: it says that the run is finished


def _end_with(gone: Callable[[], object]) -> None:
    """End this process at once when `gone` returns: nothing goes on unseen after its sweep was killed."""

    def watch() -> None:
        gone()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def forked(folder: Path, log: Path) -> None:
    """Carry out a run in a process that was forked from one that has imported everything; what it says is logged."""
    with log.open("a") as stream:
        for number in (1, 2):
            os.dup2(stream.fileno(), number)
    parent = parent_process()
    assert parent is not None
    _end_with(parent.join)
    sys.exit(_told(folder))


def main(argv: list[str]) -> int:
    """Carry out the run of a folder; ends when stdin, which its sweep holds, is closed."""
    _end_with(sys.stdin.read)
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    return _told(Path(argv[0]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

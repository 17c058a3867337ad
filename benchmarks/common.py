"""What every benchmark shares: its result and its timer."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import torch


@dataclass(frozen=True)
class Row:
    """One measured operation beside the fastest it could be.

    Attributes:
        name: what is timed, with its size.
        ours_s: seconds our operation takes.
        limit_s: seconds its limit takes on the same input.
        limit: what the limit is: a bare library call, a forward pass, ...
    """

    name: str
    ours_s: float
    limit_s: float
    limit: str

    @property
    def ratio(self) -> float:
        """How many times slower than its limit the operation is."""
        return self.ours_s / self.limit_s


def best_of(fn: Callable[[], object], repeats: int = 5, warmup: int = 1) -> float:
    """Seconds of the fastest of `repeats` calls: the one that other processes disturbed least."""
    return best_of_each([fn], repeats, warmup)[0]


def best_of_each(
    fns: Sequence[Callable[[], object]],
    repeats: int = 5,
    warmup: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """As `best_of` for each of several, called in turns, so that a slow minute of the machine slows all of them.

    `clock=time.process_time` counts the time of the processor, in place of what passes.
    """
    for fn in fns:
        for _ in range(warmup):
            fn()
    best = [float("inf")] * len(fns)
    for _ in range(repeats):
        for k, fn in enumerate(fns):
            began = clock()
            fn()
            best[k] = min(best[k], clock() - began)
    return best


@contextmanager
def one_thread() -> Iterator[None]:
    """For torch and OpenCV, whatever was set before."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])

"""What every benchmark shares: its result and its timer."""

import time
from collections.abc import Callable
from dataclasses import dataclass


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
    for _ in range(warmup):
        fn()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        fn()
        times.append(time.perf_counter() - began)
    return min(times)

"""A Dask cluster that runs already."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zoo.errors import ConfigError

if TYPE_CHECKING:
    from distributed import Client

TIMEOUT = 10.0
"""Seconds to wait for a scheduler."""


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """The client of the scheduler at an address; says so when it has no workers yet.

    Raises:
        ConfigError: no scheduler answers there.
    """
    from distributed import Client  # only here: it takes a second

    try:
        client = Client(address, timeout=TIMEOUT)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"--scheduler {address}: no Dask scheduler answers ({error}); start one with `dask scheduler`, or correct "
            "the address (it may come from DASK_SCHEDULER_ADDRESS)"
        ) from None
    with client:
        if not client.scheduler_info()["workers"]:
            print(f"{address} has no workers yet: waiting for the first", file=sys.stderr)
        yield client

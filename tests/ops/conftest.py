"""Operations have two paths, that of the CPU and that of accelerators."""

from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from zoo.ops.device import pure_torch


@pytest.fixture(params=[nullcontext, pure_torch], ids=["cpu", "torch"])
def either_path(request: pytest.FixtureRequest) -> Iterator[None]:
    """The test runs twice, once on each path."""
    with request.param():
        yield

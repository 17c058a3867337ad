"""What runs on an accelerator, on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

MODULES = ("components", "distance", "skeleton")


@contextmanager
def pure_torch() -> Iterator[None]:
    """Within it `zoo.ops` takes the way that it takes on accelerators, whatever the device."""
    with ExitStack() as stack:
        for name in MODULES:
            stack.enter_context(patch(f"zoo.ops.{name}.use_torch", lambda mask, force: True))
        yield

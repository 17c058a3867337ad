"""Interactive segmentation of pathology images: methods, simulated users, sessions and measurements."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.hub.load import load
    from zoo.inference.session import Session
    from zoo.interactions import Box, Click, Scribble

__all__ = ["Box", "Click", "Scribble", "Session", "load"]

_HOME = {
    "Box": "zoo.interactions",
    "Click": "zoo.interactions",
    "Scribble": "zoo.interactions",
    "Session": "zoo.inference.session",
    "load": "zoo.hub.load",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: torch takes seconds, which `zoo --help` must not."""
    if name not in _HOME:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

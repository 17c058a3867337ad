"""Interactive segmentation of pathology images: methods, simulated users, sessions and measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import lazily

if TYPE_CHECKING:
    from zoo.hub.load import load
    from zoo.hub.models import list_models
    from zoo.inference.session import Session
    from zoo.interactions import Box, Click, Scribble

__all__ = ["Box", "Click", "Scribble", "Session", "list_models", "load"]

_HOME = {
    "Box": "zoo.interactions",
    "Click": "zoo.interactions",
    "Scribble": "zoo.interactions",
    "Session": "zoo.inference.session",
    "list_models": "zoo.hub.models",
    "load": "zoo.hub.load",
}


# torch takes seconds, which `zoo --help` must not.
__getattr__ = lazily(__name__, _HOME)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

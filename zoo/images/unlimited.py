"""Pictures of any size."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

_LOCK = threading.Lock()
_LIMITS: list[int | None] = []  # of Pillow, by those who lifted it: it is one for all threads


@contextmanager
def unlimited() -> Iterator[None]:
    """Without Pillow's limit, which is for what strangers send: these are files that a person names."""
    with _LOCK:
        _LIMITS.append(_LIMITS[0] if _LIMITS else Image.MAX_IMAGE_PIXELS)
        Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        with _LOCK:
            before = _LIMITS.pop()
            if not _LIMITS:
                Image.MAX_IMAGE_PIXELS = before

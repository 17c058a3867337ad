"""Reads ahead in a thread, so that reading a slide and compressing what was read go on at the same time."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
_END: Any = object()


def ahead(items: Iterable[T], count: int = 8) -> Generator[T]:
    """The same items in the same order, made in another thread at most `count` ahead of where they are used.

    An exception of `items` is raised here when its turn comes. When this generator is closed or left by an
    exception, the thread has ended and `items` is closed, if it is a generator.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1, "ahead") as thread:
        coming = deque(thread.submit(next, iterator, _END) for _ in range(count))
        try:
            while (item := coming.popleft().result()) is not _END:
                coming.append(thread.submit(next, iterator, _END))
                yield item
        finally:
            thread.shutdown(cancel_futures=True)
            if isinstance(iterator, Generator):
                iterator.close()

"""Items one after the other, with a result that is known when all of them were taken."""

from collections.abc import Generator, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Stream(Generic[T, R]):
    """The items of a generator and, after the last one, what it returned.

    The items may be taken in another thread, as `data_prep.ahead` does: nothing is shared before that has ended.

    Args:
        items: a generator that nobody else takes from.
    """

    def __init__(self, items: Generator[T, None, R]) -> None:
        self._items = items
        self._returned: list[R] = []

    def __iter__(self) -> Iterator[T]:
        self._returned.append((yield from self._items))

    @property
    def result(self) -> R:
        """What the generator returned.

        Raises:
            RuntimeError: not all items have been taken.
        """
        if not self._returned:
            raise RuntimeError("the result of a stream is known when all of its items were taken")
        return self._returned[0]

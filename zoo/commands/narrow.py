"""Tables that are wider than their terminal."""

from __future__ import annotations

from collections.abc import Sequence

BORDERS = 3
"""Characters that a column has beside its text."""


def side_by_side(needs: Sequence[int], width: int) -> list[list[int]]:
    """Positions of the columns of each table, in their order, so that none has to cut what it holds.

    Args:
        needs: characters that each column needs for its text.
        width: characters that a table has for its columns, borders included.
    """
    tables: list[list[int]] = []
    left = 0
    for i, need in enumerate(needs):
        if need + BORDERS > left:
            tables.append([])
            left = width
        tables[-1].append(i)
        left -= need + BORDERS
    return tables

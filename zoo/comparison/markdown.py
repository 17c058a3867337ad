"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], text_columns: Sequence[int] = (0,)) -> str:
    """A table; columns at the positions `text_columns` (negative ones count from the end) are aligned to the left."""
    left = {position % len(headings) for position in text_columns}
    rule = ["---" if i in left else "---:" for i in range(len(headings))]
    return "".join(f"| {' | '.join(line)} |\n" for line in (headings, rule, *rows))


def cell(text: str) -> str:
    """Text that stays in its cell."""
    return text.replace("|", "\\|").replace("\n", " ")

"""Numbers that papers print, for the leaderboard: never beside numbers measured here."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from zoo.comparison.markdown import cell, table
from zoo.errors import ResultError

NUMBER = re.compile(r"\d+(\.\d+)?")
HEAD = """
## Published by the authors

On other data and hardware, under protocols of their own: not comparable with the tables above.
"""


@dataclass(frozen=True)
class PublishedTable:
    """One table of a paper.

    Attributes:
        paper: authors, title, where and when.
        table: its number, and what it is about.
        data: what was evaluated on.
        columns: headings of the numbers.
        rows: numbers by method, as the paper prints them; `null` where it has none.
        device: what times were measured on; None without times.
        note: what to know when reading it.
    """

    paper: str
    table: str
    data: str
    columns: list[str]
    rows: dict[str, list[str]]
    device: str | None = None
    note: str | None = None


def read_published(path: Path) -> list[PublishedTable]:
    """Read and check `published.yaml`.

    Raises:
        ResultError: it is no YAML, or a table lacks something or has rows of another length than its columns.
    """
    try:
        content = yaml.load(path.read_text(), yaml.BaseLoader)  # numbers stay as they are printed, with their zeros
    except (OSError, yaml.YAMLError) as error:
        raise ResultError(f"{path}: not readable as YAML ({error}); correct the file") from None
    if not isinstance(content, list):
        raise ResultError(f"{path}: must be a list of tables")
    return [_checked(each, f"{path}, table {number}") for number, each in enumerate(content, 1)]


def published_block(tables: list[PublishedTable]) -> str:
    """The tables in Markdown under one heading, grouped by paper."""
    parts = [HEAD] if tables else []
    paper = ""
    for each in tables:
        if each.paper != paper:
            parts.append(f"\n### {each.paper}\n")
            paper = each.paper
        facts = "; ".join(fact for fact in (each.data, each.device) if fact)
        rows = [[cell(name), *("–" if v == "null" else v for v in values)] for name, values in each.rows.items()]
        parts.append(f"\n{each.table}. {facts}. Published by the authors, not comparable.\n\n")
        parts.append(table(["method", *each.columns], rows) + (f"\n{each.note}\n" if each.note else ""))
    return "".join(parts)


def _checked(content: Any, where: str) -> PublishedTable:
    try:
        each = PublishedTable(**content)
        rows = list(each.rows.items())
    except (TypeError, AttributeError) as error:
        names = ", ".join(field.name for field in fields(PublishedTable))
        raise ResultError(f"{where}: {error}; a table has {names}") from None
    for name, values in rows:
        numbers = isinstance(values, list) and all(v == "null" or NUMBER.fullmatch(v) for v in values)
        if not numbers or len(values) != len(each.columns):
            raise ResultError(f"{where}, row {name!r}: needs {len(each.columns)} numbers or nulls, has {values}")
    return each

"""`zoo models`: which checkpoints there are."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from zoo.commands.indices import INDEX, add_index_argument, size, told
from zoo.commands.narrow import BORDERS, side_by_side

if TYPE_CHECKING:
    from zoo.hub.indices import Found

WIDEST = 26
"""Characters of a column; longer texts go on below."""


def main(argv: list[str]) -> int:
    """Run the verb; 0 also where nothing matches."""
    options = _parser().parse_args(argv)
    # Only now: what it needs takes a moment, which --help must not.
    from zoo.hub.indices import Indices
    from zoo.hub.models import select, where

    with told("zoo models"):
        found = select(Indices(options.index), options.pattern, options.task, options.interaction, options.licence)
    if options.json:
        listed = [
            {"name": name, "index": each.index.name, **asdict(each.entry), "where": where(each)}
            for name, each in found.items()
        ]
        print(json.dumps(listed, indent=2))
    elif found:
        _print(found)
        if sys.stdout.isatty():
            print("`zoo info NAME` shows a checkpoint's card; `zoo.load(NAME)` in Python loads it")
    else:
        print("zoo models: no checkpoint is like that; `zoo models` alone lists all", file=sys.stderr)
    return 0


def rows(found: dict[str, Found]) -> list[dict[str, str]]:
    """What the table says of each checkpoint."""
    from zoo.hub.models import printable, where

    return [
        {
            "name": name,
            "task": ", ".join(each.entry.task),
            "interaction": ", ".join(each.entry.interaction) or "none",
            "data": ", ".join(each.entry.data),
            "um/px": "" if each.entry.mpp is None else f"{each.entry.mpp:g}",
            "metrics": "\n".join(f"{value:g} {measured}" for measured, value in (each.entry.metrics or {}).items()),
            "size": size(each.entry.size),
            "licence": printable(each.entry.licence),
            "where": where(each),
        }
        for name, each in found.items()
    ]


def _print(found: dict[str, Found]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout)
    lines = rows(found)
    names = max(len(line["name"]) for line in lines)
    columns = list(lines[0])[1:]
    needs = [min(WIDEST, max(len(part) for line in [*lines, {c: c}] for part in line[c].split("\n"))) for c in columns]
    for positions in side_by_side(needs, console.width - names - BORDERS - 1):
        table = Table()
        table.add_column("name", min_width=names, no_wrap=True)
        for i in positions:
            table.add_column(columns[i], min_width=needs[i], max_width=needs[i], overflow="fold")
        for line in lines:
            table.add_row(*(Text(line[key]) for key in ("name", *(columns[i] for i in positions))))
        console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zoo models",
        description="List the checkpoints that can be loaded by name: what each segments, what it is told, the data it "
        "was trained on,\nthe resolution it works at, what it reached on test images, size and licence.",
        epilog="examples:\n"
        "  zoo models                                  # all\n"
        "  zoo models --task nuclei --interaction click\n"
        "  zoo models '*-glas' --json                  # for scripts\n"
        "  zoo models --index https://lab.org/zoo/index.yaml\n\n" + INDEX,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "pattern", nargs="?", default="", metavar="PATTERN", help="part of a name or title, or a pattern as 'nuc*'"
    )
    parser.add_argument("--task", help="only those that segment this: nuclei, glands, region ...")
    parser.add_argument("--interaction", help="only those that are told this: click, scribble, squiggle ...")
    parser.add_argument("--licence", metavar="TEXT", help="only those whose licence holds this text, such as CC-BY")
    add_index_argument(parser)
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else to stdout")
    return parser

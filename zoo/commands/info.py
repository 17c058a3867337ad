"""`zoo info`: what is known of one checkpoint."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from zoo.commands.indices import INDEX, add_index_argument, size, told


def main(argv: list[str]) -> int:
    """Run the verb; 0 when the checkpoint was found."""
    options = _parser().parse_args(argv)
    # Only now: what it needs takes a moment, which --help must not.
    from zoo.hub.indices import Indices
    from zoo.hub.locate import checkpoint_folder
    from zoo.hub.models import card, lies, read_card_of, where

    facts: dict[str, Any]
    with told("zoo info"):
        indices = Indices(options.index)
        found = None if "://" in options.name or options.name.startswith((".", "/")) else indices.find(options.name)
        if found is None:
            folder = checkpoint_folder(options.name, indices)
            facts, text = {"name": options.name, "folder": str(folder)}, read_card_of(folder)
        else:
            here = lies(found)
            facts = {"name": options.name, "index": found.index.name, **asdict(found.entry), "where": where(found)}
            facts |= {"address": found.address, "folder": None if here is None else str(here)}
            text = card(found)
    if options.json:
        print(json.dumps(facts | {"card": text}, indent=2))
    else:
        _print(facts, text)
    return 0


def _print(facts: dict[str, Any], text: str) -> None:
    from rich.console import Console
    from rich.markdown import Markdown

    from zoo.hub.models import printable

    shown = {
        key: facts.get(key) for key in ("index", "task", "interaction", "data", "mpp", "licence", "where", "folder")
    }
    shown["size"] = size(facts.get("size"))
    for key, value in shown.items():
        words = ", ".join(value) if isinstance(value, list | tuple) else value
        if words not in (None, ""):
            print(f"{key + ':':13}{printable(str(words))}")
    for measured, value in (facts.get("metrics") or {}).items():
        print(f"{'metric:':13}{value:g} {printable(measured)}")
    print()
    if sys.stdout.isatty():
        Console(file=sys.stdout).print(Markdown(text, hyperlinks=False))
    else:
        print(text or "no card", end="" if text.endswith("\n") else "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zoo info",
        description="Show what is known of a checkpoint: its entry in the index, where it lies, and its model card: "
        "how to use it,\nwhat it was trained on, what it can't do, results and licence. Of a checkpoint that was not "
        "downloaded yet only the\ncard is fetched; of an address that no index names, all of it.",
        epilog="examples:\n  zoo info nuclei\n  zoo info ./my-checkpoint\n  zoo info hf://org/repo@revision\n"
        "  zoo info nuclei --json | jq .licence\n\n" + INDEX,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "name", metavar="NAME", help="a name that `zoo models` lists, a folder, hf://... or https://..."
    )
    add_index_argument(parser)
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else to stdout")
    return parser

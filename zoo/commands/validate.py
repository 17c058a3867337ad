"""`zoo validate DIR_or_INDEX`: whether checkpoints are fit to be published."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from zoo.commands.indices import told

if TYPE_CHECKING:
    from zoo.publishing.validate import Check


def main(argv: list[str]) -> int:
    """Run the verb; 0 when nothing is wrong, 2 when something is."""
    options = _parser().parse_args(argv)
    # Only now: it imports torch, for seconds, which --help must not.
    from zoo.publishing.validated import validated

    with told("zoo validate"):
        found = validated(options.path, options.trust_code)
    wrong = [name for name, checks in found.items() if not all(check.right for check in checks)]
    if options.json:
        shown = {
            name: {"right": name not in wrong, "checks": {check.what: check.wrong or None for check in checks}}
            for name, checks in found.items()
        }
        print(json.dumps(shown, indent=2))
    else:
        _print(found)
        print(f"{len(found) - len(wrong)} of {len(found)} can be published as they are")
    return 2 if wrong else 0


def _print(found: dict[str, list[Check]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("checkpoint", "check", "what is wrong, and what to do")
    for name, checks in found.items():
        for number, check in enumerate(checks):
            table.add_row(Text("" if number else name), Text(check.what), Text(check.wrong or "right"))
        table.add_section()
    Console(file=sys.stdout).print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zoo validate",
        usage="zoo validate DIR_or_INDEX [--trust-code] [--json]\n       zoo validate -c EXPERIMENT.yaml ...",
        description="Check a checkpoint before it is published, or all those of an index: that its files are there and "
        "no others, their\nchecksums, that it has a licence, a resolution and a card that says what a stranger must "
        "know, that it loads, naming\nclasses of zoo only, and that it segments a tiny image by clicks and scribbles. "
        "The exit code is 2 where something is\nwrong.\n\nWith -c or --config it evaluates an experiment on its "
        "validation images; `zoo validate -c EXPERIMENT.yaml --help` shows how.",
        epilog="examples:\n"
        "  zoo validate lab/nuclei              # a folder\n"
        "  zoo validate lab/index.yaml --json   # all checkpoints of an index\n"
        "  zoo validate https://lab.org/zoo/index.yaml    # as others get them\n"
        "  zoo validate -c experiments/training/finetune-dsb2018.yaml",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "path", metavar="DIR_or_INDEX", help="a checkpoint's folder, an index, or the address of one, hf:// or https://"
    )
    parser.add_argument("--trust-code", action="store_true", help="it may name classes outside zoo, which are run")
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else to stdout")
    return parser

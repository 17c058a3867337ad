"""`zoo leaderboard`: leaderboard.md from the results of experiments."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from zoo.files import write_text


def main(argv: list[str]) -> int:
    """Run the command; 0 when all went well, 2 when `--check` finds the file stale."""
    options = _parser().parse_args(argv)
    # Only now: it imports torch, for seconds, which --help must not.
    from zoo.comparison.leaderboard import leaderboard

    text = leaderboard(options.results, options.out)
    if not options.check:
        write_text(options.out, text)
        return 0
    if not options.out.is_file() or options.out.read_text() != text:
        print(f"zoo leaderboard: {options.out} is stale; run `zoo leaderboard` and commit it", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zoo leaderboard",
        description="Write leaderboard.md from the results that `zoo compare --save-results` keeps.",
    )
    parser.add_argument(
        "--results", type=Path, default=Path("experiments/results"), metavar="DIR", help="default: experiments/results"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("leaderboard.md"), metavar="FILE", help="default: leaderboard.md"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 2 when the file is stale")
    return parser

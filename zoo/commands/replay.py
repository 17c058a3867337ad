"""`zoo replay`: what people said in the annotator, told to other checkpoints."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from zoo.errors import ConfigError

EPILOG = """\
`zoo annotate` keeps every interaction. They are told, turn by turn, to other checkpoints, whose masks are compared with
those that the person ended with: IoU after each interaction, number of interactions up to an IoU, curves and pictures,
as `zoo compare` gives them. DIR/replay.yaml is the experiment, which you may edit and `zoo compare` again;
DIR/annotations.h5 is its store.

A person answers the mistakes of one checkpoint. Another one makes others: its first turn is compared fairly, later ones
tell how it copes with corrections meant for somebody else. And the person's own checkpoint has an advantage: the last
mask is its own.

examples:
  zoo replay slides/isegzoo.sqlite --checkpoint nuclick-nuclei-compact --out runs/replay
  zoo replay notes.sqlite --root slides/ --checkpoint nuclei --checkpoint nuclick-nuclei-compact --out runs/two
"""


def main(argv: list[str]) -> int:
    """Run the verb; 0 when all was written."""
    args = _parser().parse_args(argv)
    if len(set(args.checkpoint)) < len(args.checkpoint):
        raise ConfigError("--checkpoint: each once; they are the columns of one table")
    # Only now: importing torch takes seconds, which --help must not.
    from zoo.annotate.replay import write_replay
    from zoo.commands import compare

    table, notes = write_replay(args.annotations, args.root or args.annotations.parent, args.checkpoint, args.out)
    for note in notes:
        print(f"zoo replay: {note}", file=sys.stderr)
    return compare.main([str(table), "--out", str(args.out), *(["--json"] if args.json else [])])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zoo replay",
        description="Tell other checkpoints what people said in the annotator, and compare the masks.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("annotations", type=Path, metavar="ANNOTATIONS.sqlite", help="what `zoo annotate` keeps")
    parser.add_argument(
        "--checkpoint",
        action="append",
        required=True,
        metavar="NAME",
        help="a name that `zoo models` lists, a folder, hf://... or https://...; may be repeated",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the table and all it needs")
    parser.add_argument(
        "--root", type=Path, metavar="PATH", help="what was annotated; default: the folder of ANNOTATIONS.sqlite"
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON on stdout")
    return parser

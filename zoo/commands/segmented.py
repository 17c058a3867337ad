"""What `zoo segment` says at the end."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.errors import first_few

MOST_NAMED = 20  # empty objects


def report(
    args: argparse.Namespace,
    areas: Sequence[int],
    seconds: float,
    outputs: Sequence[Path],
    mpp: float | None,
) -> None:
    """Print what was made, in words or as JSON, and name objects that came out empty.

    Args:
        args: the command's; `region` as numbers.
        areas: pixels of each object.
        seconds: that segmenting them took.
        outputs: files that were written.
        mpp: micrometres per pixel of the label image.
    """
    empty = [number for number, area in enumerate(areas, 1) if not area]
    if empty:
        print(f"zoo segment: {_came_out_empty(empty)}", file=sys.stderr)
    if args.json:
        found = [{"id": number, "area": area} for number, area in enumerate(areas, 1)]
        summary: dict[str, Any] = {"objects": found, "empty": empty, "seconds": round(seconds, 3)}
        summary["written"] = [str(path) for path in outputs]
        about = {"image": str(args.image), "region": args.region, "checkpoint": args.checkpoint, "mpp": mpp}
        print(json.dumps(about | summary))
    else:
        written = ", ".join(map(str, outputs))
        print(f"{len(areas)} objects{f', {len(empty)} of them empty' if empty else ''} in {seconds:.1f} s: {written}")


def _came_out_empty(numbers: list[int]) -> str:
    return (
        f"object{'s' if len(numbers) > 1 else ''} {first_few(numbers, MOST_NAMED)} came out empty; nothing "
        "there was likely enough, or likelier than another object: move the clicks, or give more"
    )

"""Start-up beside bare `import torch`: processor time of new processes, with Python's own start."""

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.common import Row

REPEATS = 3
CLICK = """
import torch, zoo
session = zoo.load({name!r})
session.set_image(torch.zeros(1, 3, 128, 128, dtype=torch.uint8), mpp=session.mpp)
session.add(zoo.Click(64.5, 64.5))
session.mask
"""


def _spent(*arguments: str) -> float:
    """Seconds that the processors spend on `python` with these arguments, whatever else the machine runs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _segment(folder: Path) -> list[str]:
    Image.fromarray(np.full((128, 128, 3), 200, np.uint8)).save(folder / "a.png")
    said = {"interactions": [{"type": "click", "x": 64.5, "y": 64.5, "positive": True}]}
    (folder / "a.json").write_text(json.dumps({"schema": "isegzoo.interactions/1", "objects": [said]}))
    given = ("--checkpoint", "nuclick-nuclei-compact", "--interactions", str(folder / "a.json"), "--mpp", "0.25")
    return ["-m", "zoo", "segment", str(folder / "a.png"), *given, "--out", str(folder / "mask.png")]


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        torch = ["-c", "import torch"]
        commands = {
            "zoo segment --help": ["-m", "zoo", "segment", "--help"],
            "zoo leaderboard --help": ["-m", "zoo", "leaderboard", "--help"],
            "zoo prep --help": ["-m", "zoo", "prep", "--help"],
            "zoo segment, one click": _segment(Path(folder)),
            "load and first click, nuclick-nuclei-compact": ["-c", CLICK.format(name="nuclick-nuclei-compact")],
            "load and first click, nuclei": ["-c", CLICK.format(name="nuclei")],
            "load and first click, deepscribble-refine-glas": ["-c", CLICK.format(name="deepscribble-refine-glas")],
        }
        timed: list[Callable[[], float]] = [partial(_spent, *each) for each in (torch, *commands.values())]
        # In turns, so that a slow minute of the machine slows all of them; the first turn fills the disk's cache.
        turns = [[each() for each in timed] for _ in range(1 + REPEATS)][1:]
        limit, *ours = (min(column) for column in zip(*turns, strict=True))
    return [Row(f"{name}, CPU time", each, limit, "import torch") for name, each in zip(commands, ours, strict=True)]

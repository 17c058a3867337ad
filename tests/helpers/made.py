"""A data set of text files whose first word says what happens when one is read, to drive the command with."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_prep import cli
from data_prep.plan import Group, Patch, Plan, Shard, Skipped
from zoo.commands.interrupts import interruptible
from zoo.errors import DataError
from zoo.store.reader import Store

LAYOUT = "  NAME.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--side", type=int, default=16)
    parser.add_argument("--table", type=Path)


def plan(source: Path, args: argparse.Namespace) -> Plan:
    shards = []
    for path in sorted(source.glob("*.txt")):
        preview = partial(picture, path) if "preview" in path.read_text() else None
        shards.append(Shard(path.stem, [path], partial(read, path, args.side), preview))
    return Plan("Made", "CC0 1.0", "nobody", shards)


def read(path: Path, side: int) -> Iterator[Group]:
    word = path.read_text().split()[0]
    about = {"slide": path.stem, "patient": path.stem, "split": "train"}
    attributes = {"tissue_fraction": 0.5, "tumour_fraction": 0.25} if word in ("skips", "empty") else {}
    yield Group("a", PATCHES[word](path, side), **about, attributes=attributes)
    yield Group("b", [patch(9, side)], **about)


def patch(seed: int, side: int) -> Patch:
    image = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    return Patch(image, np.full((side, side), seed + 1), (seed, 2 * seed))


def picture(path: Path, store: Path) -> NDArray[np.uint8]:
    if "bad preview" in path.read_text():
        raise DataError("no picture")
    return Store(store).image("a", 0)


def good(path: Path, side: int) -> Iterator[Patch]:
    for seed in range(3):
        yield patch(seed, side)


def bad(path: Path, side: int) -> Iterator[Patch]:
    yield patch(0, side)
    raise DataError(f"{path}: damaged; download it again")


def broken(path: Path, side: int) -> Iterator[Patch]:
    yield patch(0, side)
    raise ZeroDivisionError("of a programmer")


def skips(path: Path, side: int) -> Iterator[Patch | Skipped]:
    yield Skipped("little tissue")
    yield patch(0, side)
    yield Skipped("little tumour")
    yield Skipped("little tissue")


def empty(path: Path, side: int) -> Iterator[Skipped]:
    yield Skipped("little tissue")


def slow(path: Path, side: int) -> Iterator[Patch]:
    for seed in range(3000):
        yield patch(seed, side)
        path.with_suffix(".begun").touch()
        time.sleep(0.02)


def dies(path: Path, side: int) -> Iterator[Patch]:
    """Kills its own process in the middle of its first try, or of every one."""
    yield patch(0, side)
    died = path.with_suffix(".died")
    if not died.exists() or "always" in path.read_text():
        died.touch()
        time.sleep(0.1)  # so that a temporary file is there
        os.kill(os.getpid(), signal.SIGKILL)
    yield patch(1, side)


def large(path: Path, side: int) -> Iterator[Patch]:
    for seed in range(40):
        yield patch(seed, 256)


PATCHES = {call.__name__: call for call in (good, bad, broken, skips, empty, slow, dies, large)}


def main() -> None:
    """The command with only this data set, under the name 'made'; run with `python -c`, as workers import it too."""
    cli.names, cli.dataset = lambda: ["made"], lambda name: sys.modules[__name__]
    if os.environ.get("LARGEST_FILE"):
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(os.environ["LARGEST_FILE"]),) * 2)
    try:
        with interruptible():
            sys.exit(cli.main(sys.argv[1:]))
    except DataError as error:
        sys.exit(f"error: {error}")

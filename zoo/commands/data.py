"""`zoo data`: look into stores."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import DataError, StoreError, first_few
from zoo.files import keep_inputs, write_bytes

if TYPE_CHECKING:
    from rich.table import Table

    from zoo.store.reader import Store
    from zoo.store.summary import Counts, GroupContent, Summary

_DESCRIPTION = """\
Look into HDF5 stores: what they hold, whether they are whole, and what their labels look like.

FILE is a store, a folder (all .h5 files in it, at any depth) or a glob pattern. Files of one data set are counted
together, one row for each split and magnification. A patient or slide in several files is one.
"""

_EPILOG = """\
columns:
  groups, images    stacks, and the images or patches in them
  median px         median area of an object in pixels (stores of instances)
  labelled          images with any label; share of all pixels that is labelled, and its smallest and largest value
                    in a single image (stores of regions)

--check finds, besides files that can't be opened or are of another version: image and label tiles that don't unpack,
types and shapes that don't fit, tables of objects that differ from what the labels hold when they are counted again,
parent windows outside their image, unknown splits, and patients (fields, where the store says `split_unit: field`) in
two splits of all the files given. All problems are listed. It reads every pixel, and every tile has a
checksum (not in stores that version 0.1 wrote).

exit code: 0; 2 when a file can't be read or --check finds anything. The other files are shown all the same.

examples:
  zoo data experiments/data/dsb2018.h5
  zoo data data/monuseg --check
  zoo data 'data/paip2019/*.h5' --preview sheet.png --samples 24 --seed 1
  zoo data data/monuseg data/glas --json > stores.json

--json prints {"datasets": [...], "problems": [...]}; a data set has dataset, licence, citation, labels, split_unit,
creators, parameters, files, bytes, rows and totals (split, magnification, groups, images, patients, slides, objects,
median_area, labelled_images, positive_fraction, positive_range, sizes, mpp, mpp_unknown), pairs, attributes, sums,
ranges, empty.
"""


def main(argv: list[str]) -> int:
    """Run the verb; 2 when there was anything wrong with any file.

    Raises:
        DataError: the preview can't be written.
        ConfigError: it would replace a store that is read.
    """
    parser = _parser()
    args = parser.parse_args(argv)
    if args.samples < 1 or args.seed < 0:
        parser.error("--samples is 1 or more, --seed 0 or more")
    # Only now: HDF5, OpenCV and SciPy take a while, which --help and wrong options must not.
    from zoo.store.reader import Store
    from zoo.store.summary import contents, summarise

    found, wrong = _paths(args.files)
    if args.preview:
        keep_inputs([args.preview], found)
    # Whole images are read once, so that nothing is worth caching.
    stores = [Store(path, cache_bytes=0) for path in found]
    good: list[tuple[Store, list[GroupContent]]] = []
    unreadable: list[str] = []
    for store in stores:
        try:
            good.append((store, contents(store)))
        except StoreError as error:
            unreadable.append(str(error))
        store.close()
    # The check meets unreadable files again, and says more about them.
    wrong += _check(stores, good) if args.check else unreadable
    if args.preview:
        members = [content for _, members in good for content in members]
        wrong += [
            message for message in _preview(args.preview, members, args.samples, args.seed) if message not in wrong
        ]
    summaries = summarise(good)
    if args.json:
        print(json.dumps({"datasets": [asdict(summary) for summary in summaries], "problems": wrong}, indent=2))
    else:
        _print(summaries)
    for message in wrong:
        print(f"zoo data: {message}", file=sys.stderr)
    if args.check and not args.json:
        print(f"{len(stores)} file(s) checked: {len(wrong) or 'no'} problem{'s' if len(wrong) != 1 else ''}")
    return 2 if wrong else 0


def _paths(patterns: Sequence[str]) -> tuple[list[Path], list[str]]:
    from zoo.store.reader import store_paths

    found: dict[Path, Path] = {}
    wrong = []
    for pattern in patterns:
        try:
            found |= {path.resolve(): path for path in store_paths(pattern)}
        except DataError as error:
            wrong.append(str(error))
    return sorted(found.values()), wrong


def _check(stores: Sequence[Store], good: Sequence[tuple[Store, Sequence[GroupContent]]]) -> list[str]:
    from zoo.progress import ProgressBar
    from zoo.store.check import problems

    images = sum(content.group.count for _, members in good for content in members)
    with ProgressBar() as progress:
        task = progress.add_task("Checking", total=images)
        return list(problems(stores, lambda count: progress.advance(task, count)))


def _preview(path: Path, members: Sequence[GroupContent], samples: int, seed: int) -> list[str]:
    """Draw what can be read; messages about what can't."""
    from zoo.store.preview import captioned, choose, contact_sheet  # torch and matplotlib take seconds

    pictures, damaged = [], []
    for chosen in choose(members, samples, seed):
        try:
            pictures.append(captioned(chosen))
        except StoreError as error:
            damaged.append(str(error))
    if pictures:
        write_bytes(path, contact_sheet(pictures))
        print(f"{path}: {len(pictures)} image(s)", file=sys.stderr)
    else:
        damaged.append(f"{path}: not drawn, since there is no image to draw; give a store that holds some")
    return damaged


def _print(summaries: Sequence[Summary]) -> None:
    from rich.console import Console

    # Rich takes 80 columns where there is no terminal, and folds the table.
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 120, highlight=False, markup=False)
    for number, summary in enumerate(summaries):
        if number:
            console.print()
        facts = _facts(summary)
        width = max(len(name) for name, _ in facts)
        for name, text in facts:
            console.print(f"{name:{width}}  {text}", soft_wrap=True)
        if summary.rows:
            console.print()
            console.print(_table(summary))


def _facts(summary: Summary) -> list[tuple[str, str]]:
    from zoo.store.summary import parsed

    facts = [
        ("data set", summary.dataset),
        ("licence", summary.licence),
        ("cite", summary.citation),
        ("labels", f"{summary.labels}; split by {summary.split_unit}"),
        ("files", f"{summary.files}, {summary.bytes / 1e6:,.1f} MB, written by {_tallied(summary.creators)}"),
    ]
    for text, files in summary.parameters.items():
        given = {name: value for name, value in parsed(text).items() if value not in (None, [], {})}
        options = ", ".join(f"{name}={value}" for name, value in given.items()) or ("none" if parsed(text) else text)
        facts.append(("parameters", options + (f"  ({files} files)" if len(summary.parameters) > 1 else "")))
    for pair in summary.pairs:
        own, around = (
            f"{m:g}x" if m else "unknown magnification" for m in (pair.magnification, pair.parent_magnification)
        )
        facts.append(("pairs", f"{pair.images:,} images at {own} lie in images at {around}"))
    facts += [(name, _tallied(counts)) for name, counts in summary.attributes.items()]
    facts += [(name, _listed(counts)) for name, counts in summary.sums.items()]
    facts += [(name, _range(ends, ".3g")) for name, ends in summary.ranges.items()]
    if summary.empty:
        facts.append(("empty", f"{summary.empty} group{'s' * (summary.empty > 1)} for which no image was found"))
    return facts


def _tallied(counts: dict[str, int], most: int = 8) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    return _listed(counts, most)


def _listed(counts: dict[str, int], most: int = 8) -> str:
    return first_few([f"{value} {count:,}" for value, count in counts.items()], most)


def _table(summary: Summary) -> Table:
    from rich import box
    from rich.table import Table

    instances = summary.labels == "instances"
    kind = ["objects", "median\npx"] if instances else ["labelled\nimages", "labelled\npixels"]
    table = Table(box=box.HORIZONTALS, padding=0, show_edge=False)  # fits into 80 columns
    table.add_column("split", no_wrap=True)
    for name in ("groups", "images", "patients", "slides", *kind, "size", "mpp", "magni-\nfication"):
        table.add_column(name, justify="right", no_wrap=name != "mpp")
    for total in summary.totals:
        rows = [row for row in summary.rows if row.magnification == total.magnification]
        for row in [*rows, total] if len(rows) > 1 else rows:
            table.add_row(*_cells(row, instances), style="bold" if row is total else None)
        table.add_section()
    return table


def _cells(row: Counts, instances: bool) -> list[str]:
    if instances:
        median = "" if row.median_area is None else f"{row.median_area:,.0f}"
        kind = [f"{row.objects:,}", median]
    else:
        low, high = row.positive_range
        kind = [f"{row.labelled_images:,}", f"{row.positive_fraction:.0%}\n{low * 100:.0f}-{high:.0%}"]
    counts = (row.groups, row.images, row.patients, row.slides)
    magnification = f"{row.magnification:g}x" if row.magnification else "unknown"
    return [row.split or "all", *(f"{n:,}" for n in counts), *kind, _size(row.sizes), _mpp(row), magnification]


def _size(sizes: dict[str, int]) -> str:
    if len(sizes) <= 2:
        return "\n".join(sizes)
    sides = [[int(side) for side in size.split("x")] for size in sizes]
    return "\nto ".join("x".join(str(pick(column)) for column in zip(*sides, strict=True)) for pick in (min, max))


def _mpp(row: Counts) -> str:
    if row.mpp is None:
        return "unknown"
    text = _range(row.mpp, ".4g")
    return f"{text}\n{row.mpp_unknown:,} unknown" if row.mpp_unknown else text


def _range(ends: tuple[float, float], digits: str) -> str:
    return " to ".join(dict.fromkeys(f"{end:{digits}}" for end in ends))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zoo data",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="stores, folders or glob patterns")
    parser.add_argument("--check", action="store_true", help="read everything and list what is wrong")
    parser.add_argument("--preview", type=Path, metavar="PNG", help="draw samples with the outlines of their labels")
    parser.add_argument("--samples", type=int, default=12, metavar="N", help="images of the preview; default: 12")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the choice of samples; default: 0")
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else to stdout")
    return parser

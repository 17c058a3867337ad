"""`zoo score`: compare predicted label images with their targets."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.commands.narrow import side_by_side
from zoo.errors import DataError, MetricError, first_few
from zoo.files import is_input, stem_of

if TYPE_CHECKING:
    from zoo.metrics.statistics import InstanceStatistics

MIN_NAME = 12  # characters that a name has at least
NUMBER = 5  # and a number

_DESCRIPTION = """\
Score predicted label images against their targets.

PREDICTION and TARGET are two label images, or two folders of them that are matched by file name without its
extension. A label image holds 0 for background and one positive integer for each object; ids are arbitrary and
need not agree between the two. Formats: PNG, TIFF, NPY, BMP, GIF; 8, 16 or 32 bit; palette images are read as
their indices. Both images of a pair must have one size.
"""

_EPILOG = """\
metrics (0 to 1, larger is better, if not said otherwise):
  aji, aji_plus     aggregated Jaccard index; aji_plus pairs every object with at most one other
  dq, sq, pq        detection, segmentation and panoptic quality; objects match above IoU 0.5
  dice, iou         of the foregrounds, all objects pooled
  hausdorff         pixels: mean over the target's objects of the Hausdorff distance to the prediction that
                    overlaps it most, else to the nearest one
  object_dice, object_hausdorff (pixels), f1
                    of the GlaS challenge: object-level Dice and Hausdorff distance weighted by area from both
                    sides; a prediction is found (f1) if it covers half of the target object it overlaps most

Two images without objects agree: 1, distance 0. If only one has none: 0, and the image's diagonal as distance.

For folders there are two overall rows: `mean` is the mean over images, `pooled` counts all objects and pixels as
if they stood in one image.

examples:
  zoo score prediction.png target.tif
  zoo score predictions/ targets/ --json > scores.json

--json prints the metrics of a pair as one object, and for folders
  {"images": {NAME: {METRIC: VALUE}}, "mean": {METRIC: VALUE}, "pooled": {METRIC: VALUE}}
"""


def main(argv: list[str] | None = None) -> int:
    """Run `zoo score` and return its exit code.

    Raises:
        DataError: files are missing, unmatched or unreadable.
        MetricError: the images of a pair differ in size.
    """
    arguments = _parser().parse_args(argv)
    prediction, target = arguments.prediction, arguments.target
    for path in (prediction, target):
        if not path.exists():
            raise DataError(f"{path}: there is no such file or folder.")
    if prediction.is_dir() != target.is_dir():
        raise DataError(f"{prediction} and {target}: give two files or two folders, not one of each.")
    folders = prediction.is_dir()
    # Only now: OpenCV and SciPy take a while, which --help and wrong options must not.
    from zoo.metrics.statistics import overall_scores
    from zoo.progress import ProgressBar

    pairs = match_folders(prediction, target) if folders else {prediction.stem: (prediction, target)}
    with ProgressBar() as bar:
        task = bar.add_task("Scoring", total=len(pairs), visible=folders)
        statistics = score_pairs(pairs, lambda: bar.advance(task))
    images = {name: image.scores() for name, image in statistics.items()}
    if not folders:
        report: dict[str, object] = dict(images[prediction.stem])
        rows = {prediction.name: images[prediction.stem]}
    else:
        overall = overall_scores(list(statistics.values()))
        report = {"images": images, **overall}
        rows = images | overall
    if arguments.json:
        print(json.dumps(report, indent=2))
    else:
        _print(rows, footer=2 if folders else 0)
    return 0


def match_folders(predictions: Path, targets: Path) -> dict[str, tuple[Path, Path]]:
    """Pairs of label images with the same name without extension, sorted by it.

    Raises:
        DataError: a folder has no label images or two of one name, or images lack their counterpart.
    """
    ours, theirs = _by_stem(predictions), _by_stem(targets)
    problems = [
        f"{folder} has no image named {first_few(sorted(missing), 10)}"
        for folder, missing in ((predictions, theirs.keys() - ours.keys()), (targets, ours.keys() - theirs.keys()))
        if missing
    ]
    if problems:
        raise DataError(f"{'; '.join(problems)}. Every prediction needs its target: the same file name, any extension.")
    return {stem: (ours[stem], theirs[stem]) for stem in sorted(ours)}


def score_pairs(
    pairs: dict[str, tuple[Path, Path]], progress: Callable[[], None] = lambda: None
) -> dict[str, InstanceStatistics]:
    """Additive statistics of (prediction, target) files by name; `progress` is called after each."""
    from zoo.images.labels import read_labels
    from zoo.metrics.statistics import instance_statistics

    result: dict[str, InstanceStatistics] = {}
    for name, (prediction, target) in pairs.items():
        try:
            result[name] = instance_statistics(read_labels(prediction), read_labels(target))
        except MetricError as error:
            raise MetricError(f"{prediction} and {target}: {error}") from error
        progress()
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zoo score",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("prediction", metavar="PREDICTION", type=Path, help="label image, or folder of them")
    parser.add_argument("target", metavar="TARGET", type=Path, help="its target, or the folder of targets")
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else to stdout")
    return parser


def _by_stem(folder: Path) -> dict[str, Path]:
    from zoo.images.labels import LABEL_SUFFIXES

    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if not is_input(path) or path.suffix.lower() not in LABEL_SUFFIXES:
            continue
        stem = stem_of(path)
        if stem in found:
            raise DataError(f"{folder}: {found[stem].name} and {path.name} share a name. Keep one of them.")
        found[stem] = path
    if not found:
        raise DataError(f"{folder}: holds no label images ({', '.join(LABEL_SUFFIXES)}).")
    return found


def _print(rows: dict[str, dict[str, float]], footer: int) -> None:
    from rich.console import Console
    from rich.table import Table

    from zoo.metrics.statistics import INSTANCE_METRICS

    console = Console(file=sys.stdout)
    names = min(max(map(len, rows)), max(MIN_NAME, console.width // 3))
    for keys in blocks(INSTANCE_METRICS, console.width - names - 4):
        table = Table()
        table.add_column("image", overflow="fold", min_width=names, max_width=names)
        for key in keys:
            table.add_column(key.replace("_", "\n"), justify="right", no_wrap=True)
        for i, (name, scores) in enumerate(rows.items()):
            if footer and i == len(rows) - footer:
                table.add_section()
            cells = (f"{scores[key]:.2f}" if "hausdorff" in key else f"{scores[key]:.3f}" for key in keys)
            table.add_row(name, *cells)
        console.print(table)


def blocks(keys: Sequence[str], width: int) -> list[list[str]]:
    """The metrics of each table, so that none has to cut a number.

    Args:
        keys: metrics.
        width: characters that a table has for them, borders included.
    """
    needs = [max(NUMBER, *map(len, key.split("_"))) for key in keys]
    return [[keys[i] for i in members] for members in side_by_side(needs, width)]

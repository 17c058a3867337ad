"""`zoo sweep`: train and evaluate a grid of rows, and compare them."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from zoo.comparison.experiment import Experiment
    from zoo.comparison.sections import Section
    from zoo.comparison.sweep.plan import Run
    from zoo.comparison.sweep.settings import Varied
    from zoo.config.compose import Address

SPLITS = {"train": "train", "val": "val", "validation": "val", "test": "test"}
SHOWN = 4  # numbers of a row in the terminal's table

DESCRIPTION = """\
Train and evaluate every combination of some settings, and write one table of all: the comparison's report, with
intervals over samples and over seeds. A row trains if it says for how long (trainer.max_steps, max_epochs, max_time);
others are evaluated as they are.

A sweep is there to choose, and what is chosen on test images says nothing about new ones: so rows are evaluated on the
VALIDATION split unless --split says otherwise. Measure what was chosen once on the test split, with `zoo compare`.

Each run is a process of its own in a folder below --out. The same command goes on where a killed sweep was: finished
runs are not repeated, a training that was stopped goes on from its last checkpoint.
"""
EPILOG = """\
names of settings: those of the model's arguments without `init_args` (encoder.radius, zoom.side), or full paths
(trainer.max_steps, data.batch_size, protocol.max_interactions). A class is a value too: encoder=zoo.encoders.Disks.
Values are YAML; commas within [] and {} belong to a value.

examples:
  zoo sweep experiments/tables/dsb2018.yaml::watershed --set sigma=1,2 --set seed_radius=2,4,6 --out runs/sigma
  zoo sweep mine.yaml --set encoder.radius=3,5,7 --set optimizer.lr=1e-3,1e-4 --seeds 3 --workers 2 --out runs/radius
  zoo sweep mine.yaml --set encoder.radius=3,5,7 --wandb-sweep sweep.yaml
"""


def main(argv: list[str]) -> int:
    """Run the command; 0 when all went well, 1 when runs failed."""
    options = _checked(_parser().parse_args(argv), argv)
    # Only now: importing torch takes seconds, which --help and wrong options must not.
    from rich.console import Console

    from zoo.comparison.sweep.settings import Varied
    from zoo.config.compose import Address, experiments

    console = Console(stderr=options.json)
    settings = [Varied.parse(text) for text in options.set]
    twice = sorted({each.name for each in settings if sum(each.name == other.name for other in settings) > 1})
    if twice:
        raise ConfigError(f"--set {', '.join(twice)}: given twice; write all values after one =")
    addresses = [address for text in options.experiments for address in experiments(Address.parse(text))]
    if options.wandb_sweep is not None:
        from zoo.comparison.sweep.wandb_file import write_sweep_files

        for path in write_sweep_files(options.wandb_sweep, addresses, settings, options.seeds):
            console.print(f"{path}: `wandb sweep {path}` registers it", soft_wrap=True, highlight=False)
        if options.out is None:
            return 0
    runs, failed = _carried_out(options, addresses, settings, console)
    finished = [run for run in runs if run.finished]
    if finished:
        experiments_, parts = _report(options, finished, failed, console)
        _show(console, experiments_, parts, options)
        if options.json:
            from zoo.comparison.sections import result_of

            print(json.dumps([result_of(each).to_json() for each in experiments_], indent=1, allow_nan=False))
    for run, reason in failed:
        console.print(f"failed: {run.row}, seed {run.seed}: {reason}", soft_wrap=True, markup=False, highlight=False)
    if failed:
        console.print(f"{len(failed)} of {len(runs)} runs failed; the same command tries them again")
    return 1 if failed else 0


def _carried_out(
    options: argparse.Namespace, addresses: Sequence[Address], settings: Sequence[Varied], console: Console
) -> tuple[list[Run], list[tuple[Run, str]]]:
    """All runs, and those that failed with the reason."""
    from contextlib import closing

    from zoo.comparison.sweep.plan import Options, plan
    from zoo.comparison.sweep.workers import carry_out
    from zoo.progress import ProgressBar

    what = Options(settings, options.seeds, options.split, not options.no_fit, options.limit, options.command)
    runs = plan(addresses, what, options.out)
    open_ = [run for run in runs if not run.finished]
    begun = sum(run.begun for run in open_)
    console.print(
        f"{len(runs)} runs on the {options.split} split: {len(runs) - len(open_)} are finished, {begun} go on, "
        f"{len(open_) - begun} begin",
        highlight=False,
    )
    failed = []
    with (
        ProgressBar(console=console, transient=False) as progress,
        closing(carry_out(open_, options.workers, options.scheduler)) as outcomes,
    ):
        task = progress.add_task("runs", total=len(runs), completed=len(runs) - len(open_))
        for run, reason in outcomes:
            failed += [(run, reason)] if reason else []
            progress.advance(task)
    return runs, failed


def _report(
    options: argparse.Namespace, finished: Sequence[Run], failed: Sequence[tuple[Run, str]], console: Console
) -> tuple[list[Experiment], list[Section]]:
    from zoo.comparison.output import write_comparison
    from zoo.comparison.result import read
    from zoo.comparison.sections import sections
    from zoo.comparison.sweep.gather import gathered
    from zoo.comparison.sweep.plan import RESULT
    from zoo.progress import ProgressBar

    with ProgressBar(console=console) as progress:
        task = progress.add_task("report", total=len({run.row for run in finished}) + 1)
        experiments = gathered(finished, lambda: progress.advance(task))
        parts = sections(experiments)
        progress.advance(task)
    more: dict[str, Any] = {
        "runs": [{"row": run.row, "seed": run.seed} | read(run.folder / RESULT).to_json() for run in finished],
        "failed": [{"row": run.row, "seed": run.seed, "reason": reason} for run, reason in failed],
    }
    write_comparison(options.out, experiments, parts, more)
    return experiments, parts


def _show(
    console: Console, experiments: Sequence[Experiment], parts: Sequence[Section], options: argparse.Namespace
) -> None:
    from rich.markup import escape
    from rich.table import Table

    from zoo.comparison.columns import best, columns, settings_text
    from zoo.comparison.sweep.gather import mean_score

    for part in parts:
        if part.users:
            continue
        data, shown = part.results[0].data, [column for column in columns(part.results) if not column.timed][:SHOWN]
        winners = [best(column, part.results) for column in shown]
        facts = f"{part.heading}: {data.dataset}, {data.split} split, {data.images} images, {data.objects} objects"
        console.print(f"[italic]{escape(f'{facts} ({settings_text(part.settings)})')}[/]", highlight=False)
        table = Table()
        ranked = part.experiments[0].protocol.ranked_by
        for number, heading in enumerate(["row", ranked, *(column.heading for column in shown)]):
            table.add_column(heading, justify="right" if number else "left")
        for number, (title, each, result) in enumerate(zip(part.titles, part.experiments, part.results, strict=True)):
            cells = [
                f"[bold green]{escape(column.cell(result))}[/]" if number in top else escape(column.cell(result))
                for column, top in zip(shown, winners, strict=True)
            ]
            table.add_row(escape(title), f"{mean_score(each):.4f}", *cells)
        console.print(table)
    console.print(f"Look at {options.out / 'report.html'}", soft_wrap=True)


def _checked(options: argparse.Namespace, argv: Sequence[str]) -> argparse.Namespace:
    """The options, when they make sense together."""
    if options.out is None and options.wandb_sweep is None:
        raise ConfigError("name a folder for the runs (--out DIR), or a file for W&B (--wandb-sweep FILE)")
    if options.out is not None and options.out.exists() and not options.out.is_dir():
        raise ConfigError(f"--out {options.out}: is a file; name a folder")
    for name, least in {"seeds": options.seeds, "workers": options.workers, "limit": options.limit}.items():
        if least is not None and least < 1:
            raise ConfigError(f"--{name} {least}: at least 1 is needed")
    options.split = SPLITS[options.split]
    options.out = None if options.out is None else options.out.absolute()
    options.command = shlex.join(["zoo", "sweep", *argv])
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zoo sweep",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "experiments", nargs="+", metavar="TABLE.yaml[::ROW]", help="experiments, tables of them, rows of tables"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE,VALUE",
        help="a setting and the values to try; may be repeated: all combinations are run",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the runs, report.html and results.json")
    parser.add_argument(
        "--seeds",
        type=int,
        default=1,
        metavar="N",
        help="trainings of each combination, with seeds that follow its own",
    )
    parser.add_argument(
        "--split",
        choices=list(SPLITS),
        default="val",
        help="what is evaluated; default: val, since a choice made on the test split makes its numbers worthless",
    )
    parser.add_argument("--no-fit", action="store_true", help="evaluate rows as they are, also those that would train")
    parser.add_argument("--limit", type=int, metavar="N", help="evaluate on the first N images only")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, default=1, metavar="N", help="processes at a time; default: 1")
    where.add_argument(
        "--scheduler", metavar="ADDRESS", help="run on the workers of this Dask cluster, as `zoo prep` does"
    )
    parser.add_argument(
        "--wandb-sweep",
        type=Path,
        metavar="FILE",
        help="write a W&B sweep of the same grid; without --out nothing is run",
    )
    parser.add_argument("--json", action="store_true", help="print the rows' results as JSON on stdout, best first")
    return parser

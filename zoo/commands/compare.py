"""`zoo compare`: evaluate experiments side by side and write a report."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from zoo.commands import narrow
from zoo.errors import ConfigError
from zoo.files import make_folder
from zoo.progress import ProgressBar

if TYPE_CHECKING:
    from zoo.comparison.experiment import Experiment
    from zoo.comparison.sections import Section
    from zoo.config.compose import Address

OVERRIDE = re.compile(r"--((trainer|model|protocol|data)(\.[\w.+]+)?|seed_everything)=")
NUMBER = 6  # characters of a number in a table, at most as a rule

EXAMPLES = """examples:
  zoo compare experiments/tables/dsb2018.yaml --out runs/compare
  zoo compare experiments/tables/dsb2018.yaml::watershed mine.yaml --out runs/mine
  zoo compare experiments/tables/dsb2018-oneshot.yaml --out runs/quick --limit 2
  zoo compare experiments/tables/dsb2018.yaml --out runs/five --set protocol.init_args.max_interactions=5
"""


def main(argv: list[str]) -> int:
    """Run the command; 0 when all went well."""
    options = parsed(argv)
    addresses = _checked(options)
    # Only now: importing torch takes seconds, which --help and wrong options must not.
    from zoo.comparison.experiment import evaluate, prepare
    from zoo.comparison.sections import result_of, sections
    from zoo.config.runs import is_run, run_weights

    console = Console(stderr=options.json)
    for address in addresses:
        if is_run(address.path):
            console.print(f"{address}: the weights of {run_weights(address.path)}", soft_wrap=True, highlight=False)
    experiments = [prepare(address, options.limit, options.overrides) for address in addresses]
    make_folder(options.out)
    with _progress(console) as progress:
        for experiment in experiments:
            evaluate(experiment, command_of(experiment.address, options), progress)
        if not experiments[0].cli.trainer.is_global_zero:
            return 0
        drawing = progress.add_task("pictures", total=1)
        parts = sections(experiments)
        progress.advance(drawing)
    _write(options, experiments, parts)
    _show(console, options, parts)
    if options.json:
        results = [result_of(experiment).to_json() for experiment in experiments]
        print(json.dumps(results, indent=1, allow_nan=False))
    return 0


def command_of(address: Address, options: argparse.Namespace) -> str:
    """The command that gives one experiment's result again."""
    limit = [] if options.limit is None else ["--limit", str(options.limit)]
    return shlex.join(["zoo", "compare", str(address), "--out", options.out.as_posix(), *limit, *options.overrides])


def _write(options: argparse.Namespace, experiments: Sequence[Experiment], parts: Sequence[Section]) -> None:
    from zoo.comparison.output import write_comparison
    from zoo.comparison.sections import result_of
    from zoo.evaluation.record import write_traces

    for experiment in experiments:
        places = {record.sample_id: experiment.dataset.describe(record.sample_id) for record in experiment.records}
        write_traces(options.out / "traces" / f"{experiment.name}.jsonl", experiment.records, places)
    write_comparison(options.out, experiments, parts)
    if options.save_results:
        for experiment in experiments:
            result_of(experiment).write(experiment.address.result)
        for part in parts:
            if part.differences is not None:
                part.differences.write(part.experiments[0].address.differences)


def _show(console: Console, options: argparse.Namespace, parts: Sequence[Section]) -> None:
    from zoo.comparison.columns import best, columns, settings_text

    for part in parts:
        results, data = part.results, part.results[0].data
        title = f"{part.heading}: {data.dataset}, {data.split} split by {data.split_unit}, "
        title += f"{data.images} images, {data.objects} objects ({settings_text(part.settings)})"
        shown = columns(results)
        winners = [set() if part.users else best(column, results) for column in shown]
        console.print(f"[italic]{escape(title)}[/]", highlight=False)
        first = max(len(column.heading) for column in shown)
        for members in side_by_side(part.titles, console.width - first - 4):
            table = Table()
            table.add_column("")
            for i in members:
                table.add_column(escape(part.titles[i]), justify="right")
            for column, top in zip(shown, winners, strict=True):
                cells = [(column.cell(results[i]), i in top) for i in members]
                table.add_row(
                    column.heading,
                    *(f"[bold green]{escape(text)}[/]" if wins else escape(text) for text, wins in cells),
                )
            console.print(table)
    console.print(f"Look at {options.out / 'report.html'}", soft_wrap=True)
    if options.save_results:
        console.print("Results saved; run `zoo leaderboard` to bring leaderboard.md up to date.", soft_wrap=True)


def side_by_side(titles: Sequence[str], width: int) -> list[list[int]]:
    """Positions of the titles of each table, so that none has to break a word or a number of its columns.

    Args:
        titles: of columns; they may be broken at spaces.
        width: characters that a table has for them, borders included.
    """
    return narrow.side_by_side([max([NUMBER, *map(len, title.split())]) for title in titles], width)


def _progress(console: Console) -> ProgressBar:
    bars = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return ProgressBar(*bars, console=console, transient=False)


def _checked(options: argparse.Namespace) -> list[Address]:
    """The experiments to run, when the options make sense together."""
    from zoo.config.compose import Address, experiments

    if options.limit is not None and options.limit < 1:
        raise ConfigError(f"--limit {options.limit}: at least one image is needed")
    if options.limit is not None and options.save_results:
        raise ConfigError("--save-results keeps results of whole splits; leave out --limit")
    changed = [each for each in options.overrides if not each.startswith("--trainer.")]
    if changed and options.save_results:
        raise ConfigError(f"--save-results keeps results of the files as they are; leave out {' '.join(changed)}")
    if options.out.exists() and not options.out.is_dir():
        raise ConfigError(f"--out {options.out}: is a file; name a folder")
    addresses = [address for text in options.experiments for address in experiments(Address.parse(text))]
    names = [address.name for address in addresses]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{', '.join(twice)}: given twice; traces and results are named after the file and its row")
    return addresses


def parsed(argv: list[str]) -> argparse.Namespace:
    """The options; `overrides`, of `--set KEY=VALUE` and those that `zoo test` takes, change the experiments."""
    parser = _parser()
    options, others = parser.parse_known_args(argv)
    unknown = [other for other in others if not OVERRIDE.match(other)]
    if unknown:
        parser.error(
            f"unrecognized arguments: {' '.join(unknown)}; what changes experiments is --set KEY=VALUE or --KEY=VALUE "
            "of trainer, model, protocol, data or seed_everything"
        )
    wrong = [each for each in options.set if "=" not in each.strip("=")]
    if wrong:
        raise ConfigError(f"--set {wrong[0]}: write --set KEY=VALUE, e.g. protocol.init_args.max_interactions=5")
    options.overrides = [*others, *(f"--{each}" for each in options.set)]
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zoo compare",
        description="Evaluate experiments on their test split, each under its protocol, and write tables, curves and "
        "pictures. A table stands for all its rows. Experiments of different protocols or data get a section each.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "experiments",
        nargs="+",
        metavar="FILE.yaml[::ROW]",
        help="experiments, tables of them, rows of tables, or the folder or a .ckpt that `zoo fit` left",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of report.html, results.json, pictures, traces"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N test images of each experiment")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting of all experiments, e.g. protocol.init_args.max_interactions=5; may be repeated. "
        "--trainer.KEY=VALUE and so on do the same, as with `zoo test`",
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON on stdout")
    parser.add_argument(
        "--save-results",
        action="store_true",
        help="also write results/TABLE/ROW.json (results/NAME.json of a file without rows) and the differences to the "
        "first: beside the file's folder where that is called tables, else beside the file",
    )
    return parser

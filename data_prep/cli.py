"""The command `zoo prep NAME --source DIR --out DIR`, also reached as `python -m data_prep`."""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import inspect
import json
import os
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import data_prep.datasets
from zoo.errors import ConfigError

# What does not change the content of a store.
_NOT_OF_STORES = {
    *("name", "module", "source", "out", "force", "json", "workers", "scheduler"),
    *("resolve", "slide_defaults"),  # functions and defaults, told by what they resolve to
}


def names() -> list[str]:
    """Of all data set modules: every module of `data_prep.datasets` is one, under its own name."""
    return sorted(module.name for module in pkgutil.iter_modules(data_prep.datasets.__path__))


def dataset(name: str) -> ModuleType:
    """The module of a data set.

    A module offers `LAYOUT` (the expected folders), `plan(source, args) -> Plan` and, if it takes options,
    `add_arguments(parser)`; if it can't do without one, `EXAMPLE` shows it. Its docstring is its help. A name that is
    none of ours is that of a module in the current folder, or of an installed one.

    Raises:
        ConfigError: the module is no data set's.
    """
    if name in names():
        return importlib.import_module(f"{data_prep.datasets.__name__}.{name}")
    module = importlib.import_module(name)
    missing = [each for each in ("LAYOUT", "plan", "__doc__") if not getattr(module, each, None)]
    if missing:
        raise ConfigError(
            f"{name}: {getattr(module, '__file__', 'the module')} is no data set, for want of "
            f"{', '.join(missing).replace('__doc__', 'a docstring')}; `zoo new dataset NAME` writes one to begin with"
        )
    return module


def is_own(name: str) -> bool:
    """Whether a name is that of a module which is not ours."""
    try:
        return name not in names() and importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # of a package that isn't there, or no name at all
        return False


def title(name: str) -> str:
    """The first line of what a data set's module says of itself, without importing it and all it needs."""
    source = Path(data_prep.datasets.__path__[0]) / f"{name}.py"
    return (ast.get_docstring(ast.parse(source.read_bytes())) or "").partition("\n")[0]


def build_parser(prog: str = "zoo prep", wanted: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """Parser with one sub-command per data set.

    Args:
        prog: name of the command.
        wanted: data sets whose sub-commands are complete, which imports their modules; None: all.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Turn a data set, as its publisher distributes it, into HDF5 stores. NAME is one of these, or a "
        "module of your own in the current folder (`zoo new dataset NAME` writes one).",
    )
    commands = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name in [*names(), *filter(is_own, wanted or ())]:
        if wanted is not None and name not in wanted:
            commands.add_parser(name, help=title(name))
            continue
        module = dataset(name)
        description = inspect.getdoc(module) or ""
        command = commands.add_parser(
            name,
            help=description.splitlines()[0],
            description=description,
            epilog=f"expected layout of --source:\n\n{module.LAYOUT}\n\n"
            f"example:\n\n  {prog} {name} --source raw/{name} --out data/{name} {getattr(module, 'EXAMPLE', '')}\n\n"
            "exit code: 0; 2 when anything failed, and everything else is written; 130 after Ctrl-C",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        add_arguments(command)
        if hasattr(module, "add_arguments"):
            module.add_arguments(command)
        command.set_defaults(module=module)
    return parser


def main(argv: Sequence[str] | None = None, prog: str = "zoo prep") -> int:
    """Prepare one data set.

    Returns:
        0 on success, 130 after Ctrl-C.

    Raises:
        DataError: the source folder is missing or not laid out as the publisher's, or some shards failed.
    """
    argv = sys.argv[1:] if argv is None else argv
    args = build_parser(prog, wanted=argv[:1]).parse_args(argv)
    # Only now: HDF5, OpenCV and SciPy take a while, which --help must not.
    from data_prep.plan import wrong_layout
    from data_prep.run import Interrupted, counts, report, run

    parameters = options(args)
    if args.scheduler:
        # Its workers run in other folders.
        vars(args).update({key: value.absolute() for key, value in vars(args).items() if isinstance(value, Path)})
    if not args.source.is_dir():
        raise wrong_layout(args.source, "no such folder", args.module.LAYOUT)
    plan = args.module.plan(args.source, args)
    try:
        outcomes = run(
            plan, args.out, parameters=parameters, force=args.force, workers=args.workers, scheduler=args.scheduler
        )
    except Interrupted as stop:
        done = counts(stop.found) or "none written"
        print(f"interrupted: {done} of {len(plan.shards)}; the same command goes on from there", file=sys.stderr)
        return 130
    if args.json:
        rows = [outcome.row() for outcome in outcomes]
        print(json.dumps({"dataset": plan.dataset, "licence": plan.licence, "shards": rows}, indent=1))
    report(plan, args.out, outcomes)
    return 0


def options(args: argparse.Namespace) -> str:
    """Canonical JSON of the options that decide what is in a store; paths are text.

    Where a parser sets `resolve`, a function of the arguments, the options it returns replace those of the same name:
    what a preset or a default stood for, so that a store made by an earlier version's is known to be another.
    """
    chosen = {key: value for key, value in vars(args).items() if key not in _NOT_OF_STORES}
    if "resolve" in args:
        chosen |= args.resolve(args)
    return json.dumps(chosen, sort_keys=True, default=str)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that every data set takes."""
    parser.add_argument("--source", type=Path, required=True, help="folder with the raw data, as laid out below")
    parser.add_argument("--out", type=Path, required=True, help="folder for the stores; made if missing")
    parser.add_argument("--force", action="store_true", help="replace stores that exist already")
    parser.add_argument("--json", action="store_true", help="print what was made to stdout")
    parser.add_argument(
        "--workers", type=_positive, metavar="N", help="processes; default: one per core, at most one per store"
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        default=os.environ.get("DASK_SCHEDULER_ADDRESS"),
        help="work on this Dask cluster, e.g. tcp://host:8786, whose workers need isegzoo and must find --source and "
        "--out under the same paths; default: the environment variable DASK_SCHEDULER_ADDRESS",
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not 1 or more")
    return number

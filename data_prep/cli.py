"""The command `python -m data_prep NAME --source DIR --out DIR`, also reached as `zoo prep`."""

import argparse
import importlib
import inspect
import pkgutil
from collections.abc import Sequence
from types import ModuleType

import data_prep.datasets
from data_prep import common


def modules() -> dict[str, ModuleType]:
    """Data set modules by name: every module of `data_prep.datasets` is one, under its own name.

    A module offers `LAYOUT` (the expected folders), `plan(source, args) -> Plan` and, if it takes options,
    `add_arguments(parser)`; its docstring is its help.
    """
    package = data_prep.datasets
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return {name: importlib.import_module(f"{package.__name__}.{name}") for name in names}


def build_parser(prog: str = "python -m data_prep") -> argparse.ArgumentParser:
    """Parser with one sub-command per data set."""
    parser = argparse.ArgumentParser(
        prog=prog, description="Turn a data set, as its publisher distributes it, into HDF5 stores."
    )
    commands = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name, module in modules().items():
        description = inspect.getdoc(module) or ""
        command = commands.add_parser(
            name,
            help=description.splitlines()[0],
            description=description,
            epilog=f"expected layout of --source:\n\n{module.LAYOUT}\n\n"
            f"example:\n\n  {prog} {name} --source raw/{name} --out data/{name}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        common.add_arguments(command)
        if hasattr(module, "add_arguments"):
            module.add_arguments(command)
        command.set_defaults(module=module)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Prepare one data set.

    Returns:
        0 on success.

    Raises:
        DataError: the source folder is missing or not laid out as the publisher's.
    """
    args = build_parser().parse_args(argv)
    if not args.source.is_dir():
        raise common.wrong_layout(args.source, "no such folder", args.module.LAYOUT)
    common.write(args.module.plan(args.source, args), args.out, args.force)
    return 0

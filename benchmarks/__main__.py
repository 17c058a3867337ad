"""`python -m benchmarks [NAME...] [--json]`: time every module of this package that has a `run`."""

import argparse
import importlib
import json
import pkgutil
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

import benchmarks
from benchmarks.common import Row


def main(argv: list[str] | None = None) -> int:
    names = sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_"))
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=benchmarks.__doc__)
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"of {', '.join(names)}; all if none is given")
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else to stdout")
    arguments = parser.parse_args(argv)
    if unknown := set(arguments.names) - set(names):
        parser.error(f"no benchmark named {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    console = Console(stderr=True)
    rows: dict[str, list[Row]] = {}
    for name in arguments.names or names:
        module = importlib.import_module(f"benchmarks.{name}")
        if hasattr(module, "run"):
            with console.status(f"timing {name}"):
                rows[name] = module.run()
    if arguments.json:
        print(json.dumps([{"benchmark": n} | asdict(r) | {"ratio": r.ratio} for n in rows for r in rows[n]], indent=2))
    else:
        Console().print(table(rows))
    return 0


def table(rows: dict[str, list[Row]]) -> Table:
    result = Table("benchmark", "operation", "ours", "limit", "ratio", "what the limit is")
    for column in result.columns[2:5]:
        column.justify = "right"
    for name, measured in rows.items():
        for row in measured:
            ours, limit = f"{1e3 * row.ours_s:.2f} ms", f"{1e3 * row.limit_s:.2f} ms"
            result.add_row(name, row.name, ours, limit, f"{row.ratio:.1f}", row.limit)
        result.add_section()
    return result


if __name__ == "__main__":
    raise SystemExit(main())

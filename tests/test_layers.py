"""Imports run downward through the layers of `zoo`, and no two files import each other."""

import os
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """import-linter, with the layers of pyproject.toml, on the packages that `folder` holds."""
    command = [Path(sys.executable).with_name("lint-imports"), "--config", ROOT / "pyproject.toml", "--no-cache"]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def order(graph: grimp.ImportGraph) -> list[str]:
    """The modules, each behind what it imports; lazy imports and those of type checkers count too.

    Raises:
        CycleError: some import each other.
    """
    return list(
        TopologicalSorter({m: graph.find_modules_directly_imported_by(m) for m in graph.modules}).static_order()
    )


def test_imports_run_downward():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_no_files_import_each_other():
    try:
        ordered = order(grimp.build_graph("zoo", cache_dir=None))
    except CycleError as error:
        pytest.fail(f"these files import each other, each the next: {' -> '.join(error.args[1])}")
    assert ordered.index("zoo.ops.frame") < ordered.index("zoo.inference.session")


@pytest.mark.parametrize(
    "line",
    [
        "from zoo.methods.ritm import RITM",
        "def late():\n    import zoo.methods.ritm",
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from zoo.methods.ritm import RITM",
    ],
    ids=["plain", "lazy", "type checker"],
)
def test_an_import_that_runs_upward_is_named(line, tmp_path):
    for name in order(grimp.build_graph("zoo", cache_dir=None)):
        path = tmp_path / Path(*name.split("."))
        folder = (ROOT / Path(*name.split("."))).is_dir()
        (path if folder else path.parent).mkdir(parents=True, exist_ok=True)
        (path / "__init__.py" if folder else path.with_suffix(".py")).touch()
    (tmp_path / "data_prep").mkdir()
    (tmp_path / "data_prep" / "__init__.py").touch()
    assert lint(tmp_path).returncode == 0
    (tmp_path / "zoo" / "inference" / "session.py").write_text(line)
    done = lint(tmp_path)
    assert done.returncode == 1
    assert "Imports run downward through the layers BROKEN" in done.stdout
    assert "zoo.inference.session -> zoo.methods.ritm" in done.stdout


def test_stores_need_no_torch():
    modules = ", ".join(f"zoo.store.{path.stem}" for path in sorted((ROOT / "zoo" / "store").glob("[a-z]*.py")))
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr

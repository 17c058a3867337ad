"""What `pip install isegzoo` gives: the wheel holds every checkpoint, and they load from it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from zoo.hub.index import entries

ROOT = Path(__file__).parents[1]
PACKAGES = ("zoo", "data_prep")

LOAD_ALL = """
import zoo
from zoo.hub.index import entries
print(zoo.__file__)
for name in entries():
    zoo.load(name)
    print(name)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy, so that nothing is left in the repository and nothing left there gets in."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(out)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True)
    return next(out.glob("*.whl"))


def test_the_wheel_holds_every_file_of_the_packages(wheel):
    with ZipFile(wheel) as content:
        held = set(content.namelist())
    files = {
        path.relative_to(ROOT).as_posix()
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files - held == set()
    for name, entry in entries().items():
        assert {f"zoo/hub/checkpoints/{name}/{file}" for file in entry.files} <= held
        assert any(file.endswith(f".dist-info/licenses/zoo/hub/checkpoints/{name}/LICENSE") for file in held)


@pytest.mark.slow
def test_every_checkpoint_loads_from_an_installed_wheel(wheel, tmp_path):
    installed = tmp_path / "installed"
    install = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target")
    subprocess.run([sys.executable, *install, str(installed), str(wheel)], check=True)
    # An empty cache: nothing may come from an earlier download.
    surroundings = os.environ | {"PYTHONPATH": str(installed), "ISEGZOO_CACHE": str(tmp_path / "cache")}
    run = [sys.executable, "-c", LOAD_ALL]
    told = subprocess.run(run, cwd=tmp_path, env=surroundings, check=True, capture_output=True, text=True).stdout
    origin, *loaded = told.split()
    assert Path(origin).is_relative_to(installed)
    assert loaded == list(entries())

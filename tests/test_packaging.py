"""What `pip install isegzoo` gives: checkpoints, experiments and their data, which work without a clone."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from email import message_from_string
from pathlib import Path
from zipfile import ZipFile

import pytest

from zoo.hub.index import checksums, entries

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
    for name in (*PACKAGES, "experiments"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
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


def test_the_metadata_names_the_licence_of_everything_in_the_wheel(wheel):
    with ZipFile(wheel) as content:
        (name,) = [name for name in content.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = message_from_string(content.read(name).decode())
    named = metadata["License-Expression"].split(" AND ")
    of_weights = {entry.licence for entry in entries().values()}
    # Terms that SPDX has no name for begin with LicenseRef.
    plain = {licence for licence in of_weights if re.fullmatch(r"[\w.-]+", licence)}
    own = {licence.removeprefix("LicenseRef-") for licence in named if licence.startswith("LicenseRef-")}
    assert set(named) == {"Apache-2.0", "CC0-1.0", "BSD-3-Clause", *plain, *(f"LicenseRef-{each}" for each in own)}
    assert (own, of_weights - plain) == ({"GlaS-research-only"}, {"research only, no commercial use"})
    files = {f"zoo/hub/checkpoints/{name}/LICENSE" for name in entries()}
    viewer = "zoo/annotate/page/vendor/openseadragon/LICENSE.txt"
    assert set(metadata.get_all("License-File")) == {"LICENSE", "experiments/data/README.md", viewer, *files}


def test_the_wheel_holds_the_experiments_and_their_data(wheel):
    with ZipFile(wheel) as content:
        held = {name.removeprefix("zoo/") for name in content.namelist() if name.startswith("zoo/experiments/")}
    experiments = {path.relative_to(ROOT).as_posix() for path in (ROOT / "experiments").rglob("*.yaml")}
    assert {name for name in held if name.endswith(".yaml")} == experiments - {"experiments/results/published.yaml"}
    assert {"experiments/data/dsb2018.h5", "experiments/lists/glas-glands-100.txt"} <= held
    assert {Path(name).suffix for name in held} == {".yaml", ".h5", ".txt", ".md"}


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    install = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target")
    subprocess.run([sys.executable, *install, str(folder), str(wheel)], check=True)
    return folder


@pytest.fixture(scope="module")
def alone(installed, tmp_path_factory) -> Path:
    """Python of a new environment that holds the wheel, and the dependencies of this one, but nothing of this clone."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    # Their folder itself, without its .pth files: one of them may lead to this clone.
    (packages / "dependencies.pth").write_text(f"{installed}\n{sysconfig.get_path('purelib')}\n")
    return folder / "bin" / "python"


def told(installed: Path, folder: Path, *arguments: str) -> str:
    """What Python prints that is run in an empty folder and knows the installed wheel only."""
    # An empty cache: nothing may come from an earlier download.
    surroundings = os.environ | {"PYTHONPATH": str(installed), "ISEGZOO_CACHE": str(folder / "cache")}
    run = [sys.executable, *arguments]
    return subprocess.run(run, cwd=folder, env=surroundings, check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_every_checkpoint_loads_from_an_installed_wheel(installed, tmp_path):
    origin, *loaded = told(installed, tmp_path, "-c", LOAD_ALL).split()
    assert Path(origin).is_relative_to(installed)
    assert loaded == list(entries())


@pytest.mark.slow
def test_a_new_environment_lists_and_loads_every_checkpoint(alone, installed, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"ISEGZOO_CACHE": str(tmp_path / "cache")}

    def run(*arguments: str) -> str:
        command = [str(alone), *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True).stdout

    origin, *loaded = run("-c", LOAD_ALL).split()
    assert Path(origin).is_relative_to(installed)
    assert loaded == list(entries())
    listed = json.loads(run("-m", "zoo", "models", "--json"))
    assert [(each["name"], each["where"]) for each in listed] == [(name, "shipped") for name in entries()]
    assert json.loads(run("-m", "zoo", "download", "--all", "--to", "out", "--json")).keys() == entries().keys()
    for name, entry in entries().items():
        assert checksums(tmp_path / "out" / name) == entry.files


@pytest.mark.slow
def test_experiments_of_an_installed_wheel_run_in_an_empty_folder(installed, tmp_path):
    table = "experiments/tables/dsb2018.yaml"
    arguments = ("-m", "zoo", "compare", table, "--out", "out", "--limit", "1", "--json")
    found = json.loads(told(installed, tmp_path, *arguments))
    rows = ("nuclei", "nuclick", "anything", "watershed", "region-growing")
    assert [result["experiment"] for result in found] == [f"dsb2018/{row}" for row in rows]
    for result in found:
        shown = json.loads((ROOT / "experiments" / "results" / f"{result['experiment']}.json").read_text())
        assert result["data"]["checksum"] == shown["data"]["checksum"]
    assert {path.name for path in tmp_path.iterdir()} == {"out"}

"""`zoo new` writes files that Python, the experiments and the commands can use at once."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.cli import main
from zoo.commands.new import KINDS
from zoo.config.compose import Address, resolve


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_files_that_work(kind, folder, capsys):
    name = f"a_new_{kind}"
    assert main(["new", kind, name]) == 0
    assert {path.name for path in folder.iterdir()} == {f"{name}.py", f"test_{name}.py", f"{name}.yaml"}
    module = importlib.import_module(name)
    assert hasattr(module, "plan" if kind == "dataset" else f"ANew{kind.capitalize()}")
    experiment = resolve(Address(Path(f"{name}.yaml")))
    assert experiment["trainer"]["default_root_dir"] == f"runs/{name}"
    for path in folder.glob("*.*"):
        text = path.read_text()
        assert "MyClass" not in text
        assert "MY_MODULE" not in text
    printed = capsys.readouterr().out
    assert f"python -m pytest test_{name}.py" in printed
    assert main(["new", kind, name]) == 2
    assert "there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["json", "torch", "My_Encoder", "2nd", "a-b", "class", "a.b", "none", "true", "_", "__main__"]
)
def test_names_that_would_not_do(name, folder, capsys):
    assert main(["new", "encoder", name]) == 2
    assert name in capsys.readouterr().err
    assert list(folder.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_their_tests_pass(kind, folder):
    assert main(["new", kind, f"own_{kind}"]) == 0
    command = [sys.executable, "-m", "pytest", "-q", f"test_own_{kind}.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_prep_takes_a_module_of_the_current_folder(folder, capsys):
    (folder / "no_data_set.py").write_text("x = 1\n")
    assert main(["prep", "no_data_set", "--source", "raw", "--out", "made"]) == 2
    told = capsys.readouterr().err
    assert "no_data_set" in told
    assert "LAYOUT" in told
    assert main(["new", "dataset", "here"]) == 0
    with pytest.raises(SystemExit) as stop:
        main(["prep", "here", "--help"])
    assert stop.value.code == 0
    assert "ann_1_labels.png" in capsys.readouterr().out

"""docs/encoders.md works as it stands: its files and commands, in their order, in an empty folder."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "encoders.md"
BLOCK = re.compile(r"^```(python|yaml|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"[\w-]+\.(?:py|yaml)")

# What makes a command a short one; all else runs as it is printed.
SHORT = {
    "fit": "--trainer.max_steps=2 --trainer.val_check_interval=2 --trainer.limit_val_batches=1 "
    "--trainer.num_sanity_val_steps=0 --trainer.enable_progress_bar=false --trainer.accelerator=cpu",
    "compare": "--limit 1 --trainer.accelerator=cpu",
}


def files_and_commands() -> tuple[dict[str, str], list[str]]:
    """Each file's text by its name, which its first line or the paragraph before it says; commands in their order."""
    files, commands = {}, []
    text = PAGE.read_text()
    for block in BLOCK.finditer(text):
        kind, content = block.groups()
        if kind == "sh":
            commands += [line for line in content.replace("\\\n", " ").splitlines() if line]
            continue
        before = text[: block.start()].strip().rpartition("\n\n")[2]
        named = FILE.findall(content.splitlines()[0]) or FILE.findall(before)
        if named:
            files[named[-1]] = content
    return files, commands


def test_it_shows_files_and_commands():
    files, commands = files_and_commands()
    assert list(files) == ["my_encoder.py", "look.py", "test_my_encoder.py", "rings.yaml", "rings-test.yaml"]
    assert [command.split()[:2] for command in commands] == [
        ["python", "look.py"],
        ["pip", "install"],
        ["python", "-m"],
        ["zoo", "fit"],
        ["zoo", "fit"],
        ["zoo", "compare"],
    ]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_its_commands_work_in_an_empty_folder(tmp_path):
    files, commands = files_and_commands()
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "bin").mkdir()
    for name, module in {"python": "", "zoo": "-m zoo.cli"}.items():
        script = tmp_path / "bin" / name
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {module} "$@"\n')
        script.chmod(0o755)
    surroundings = os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    for command in commands:
        if command.startswith("pip install"):
            continue
        run = f"{command} {SHORT.get(command.split()[1], '')}"
        done = subprocess.run(run, shell=True, cwd=tmp_path, env=surroundings, capture_output=True, text=True)
        assert done.returncode == 0, f"{run}\n{done.stdout}\n{done.stderr}"
    assert {"positive.png", "negative.png"} <= {path.name for path in tmp_path.iterdir()}
    results = json.loads((tmp_path / "runs" / "rings-compare" / "results.json").read_text())["results"]
    assert [result["title"] for result in results][:3] == ["NuClick with rings", "Nuclei (U-Net)", "NuClick (compact)"]
    assert results[0]["checkpoint"]["weights"]["name"] == "last.ckpt"

"""Pages that show how to write something of one's own work as they stand: files and commands, in an empty folder."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.commands.new import written

ROOT = Path(__file__).parents[1]
PAGES = ("encoders.md", *(f"extend/{name}.md" for name in ("user", "network", "refiner", "method", "data-set")))
BLOCK = re.compile(r"^```(python|yaml|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"[\w-]+\.(?:py|yaml)")

# What makes a command a short one; all else runs as it is printed.
SHORT = {
    "fit": "--trainer.max_steps=2 --trainer.val_check_interval=2 --trainer.limit_val_batches=1 "
    "--trainer.num_sanity_val_steps=0 --trainer.enable_progress_bar=false --trainer.accelerator=cpu",
    "compare": "--limit 1 --trainer.accelerator=cpu",
}


def files_and_commands(page: str) -> tuple[dict[str, str], list[str]]:
    """Each file's text by its name, which its first line or the paragraph before it says; commands in their order."""
    files, commands = {}, []
    text = (ROOT / "docs" / page).read_text()
    for block in BLOCK.finditer(text):
        kind, content = block.groups()
        if kind == "sh":
            commands += [line for line in content.replace("\\\n", " ").splitlines() if line]
            continue
        before = text[: block.start()].strip().rpartition("\n\n")[2]
        first = content.splitlines()[0]
        named = (FILE.findall(first) if first.startswith("#") else []) or FILE.findall(before)
        if named:
            files[named[-1]] = content
    return files, commands


@pytest.mark.parametrize("page", PAGES)
def test_it_shows_files_and_commands(page):
    files, commands = files_and_commands(page)
    assert {command.split()[:2][-1] for command in commands} & {"fit", "compare"}
    assert {command.split()[0] for command in commands} <= {"python", "pip", "zoo"}
    for name, content in files.items():
        if name.endswith(".py"):
            compile(content, name, "exec")


def test_the_page_shows_what_is_written():
    files, commands = files_and_commands("extend/method.md")
    assert commands[0] == "zoo new method signed_mask"
    assert files == {"signed_mask.py": written("method", "signed_mask")["signed_mask.py"]}


def raw_images(folder: Path) -> None:
    """What a reader of the page on data sets has: images of four patients with their labels."""
    import cv2
    import numpy as np

    folder.mkdir()
    rng = np.random.default_rng(0)
    for patient in "abcd":
        labels = np.zeros((160, 160), np.uint16)
        for number in range(16):
            row, column = 8 + 38 * (number // 4), 8 + 38 * (number % 4)
            labels[row : row + 24, column : column + 20] = number + 1
        cv2.imwrite(str(folder / f"{patient}_1.png"), rng.integers(0, 255, (160, 160, 3), np.uint8))
        cv2.imwrite(str(folder / f"{patient}_1_labels.png"), labels)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", PAGES)
def test_its_commands_work_in_an_empty_folder(page, tmp_path):
    files, commands = files_and_commands(page)
    if page == "extend/data-set.md":
        raw_images(tmp_path / "raw")
    for name, content in files.items():
        if page != "extend/method.md":  # where a command writes it
            (tmp_path / name).write_text(content)
    (tmp_path / "bin").mkdir()
    for name, module in {"python": "", "zoo": "-m zoo"}.items():
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
    if page == "encoders.md":
        assert {"positive.png", "negative.png"} <= {path.name for path in tmp_path.iterdir()}
        results = json.loads((tmp_path / "runs" / "rings-compare" / "results.json").read_text())["results"]
        assert [result["title"] for result in results][:2] == ["NuClick with rings", "Nuclei (U-Net)"]
        assert results[0]["checkpoint"]["weights"]["name"] == "last.ckpt"

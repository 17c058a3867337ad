import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from data_prep.cli import build_parser, dataset, main, names, options


def test_every_data_set_explains_itself(capsys):
    assert {"monuseg", "dsb2018", "folder"} <= set(names())
    for name in names():
        with pytest.raises(SystemExit) as stop:
            main([name, "--help"])
        assert stop.value.code == 0
        text = capsys.readouterr().out
        assert dataset(name).LAYOUT in text
        assert text.startswith(f"usage: zoo prep {name} ")
        # The example can be copied: its options are enough.
        (example,) = re.findall(rf"^  zoo prep ({name} --source .*)$", text, re.MULTILINE)
        assert options(build_parser().parse_args(shlex.split(example)))
    with pytest.raises(SystemExit):
        main(["--help"], prog="python -m data_prep")
    assert capsys.readouterr().out.startswith("usage: python -m data_prep ")


def test_errors_come_without_traceback(tmp_path):
    command = [sys.executable, "-m", "data_prep", "monuseg", "--source", "gone", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 2
    assert done.stderr.startswith("python -m data_prep: gone: no such folder")
    assert "Traceback" not in done.stderr

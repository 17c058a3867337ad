"""A package of somebody else's inherits a contract: as docs/encoders.md shows it, without anything of our tests."""

import os
import re
import subprocess
import sys
from pathlib import Path

import zoo
from zoo.testing import EncoderContract

DOCS = Path(__file__).parents[2] / "docs" / "encoders.md"


def shown(word: str) -> str:
    """The block of Python in the documentation that holds a word."""
    (block,) = [block for block in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL) if word in block]
    return block


def test_contracts_of_somebody_elses_encoders(tmp_path: Path) -> None:
    """One passes; one whose result depends on its batch fails, and is told why."""
    encoder, test = shown("class Rings"), shown("class TestRings")
    broken = encoder.replace("return torch.exp(", "distance -= len(distance)\n        return torch.exp(")
    assert broken != encoder
    (tmp_path / "my_encoder.py").write_text(encoder)
    (tmp_path / "test_my_encoder.py").write_text(test)
    (tmp_path / "broken.py").write_text(broken)
    (tmp_path / "test_broken.py").write_text(test.replace("my_encoder", "broken"))
    # The zoo is there, its tests are not.
    (tmp_path / "tests.py").write_text("raise ImportError('the tests of the zoo are not installed')")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "zoo").symlink_to(Path(zoo.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    results = re.findall(r"^(PASSED|FAILED|ERROR) (\w+)\.py::TestRings::(\w+)", done.stdout, re.MULTILINE)
    mine = {name for result, file, name in results if (result, file) == ("PASSED", "test_my_encoder")}
    wrong = {(file, name) for result, file, name in results if result != "PASSED"}
    assert mine == {name for name in dir(EncoderContract) if name.startswith("test_")}
    assert wrong == {("test_broken", "test_batch_equals_single"), ("test_broken", "test_compacted_batch")}
    assert "sample 0 alone has its maps of the batch" in done.stdout

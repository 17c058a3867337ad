"""Which state of the code a result comes from."""

import subprocess
from pathlib import Path

import pytest

from tests.evaluation.blobs import write_store
from zoo.comparison import provenance
from zoo.data.datamodule import PatchDataModule


@pytest.fixture
def clone(tmp_path, monkeypatch) -> Path:
    for name in ("zoo/code.py", "experiments/results/a.json", "experiments/a.yaml", "leaderboard.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1")
    author = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "m"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    monkeypatch.setattr(provenance, "HERE", tmp_path / "zoo")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "dirty"),
    [
        ("zoo/code.py", True),
        ("experiments/a.yaml", True),
        ("experiments/results/a.json", False),
        ("leaderboard.md", False),
        ("zoo/new.py", False),
    ],
)
def test_results_of_other_runs_are_no_change_of_the_code(clone, name, dirty):
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=clone, check=True, capture_output=True, text=True)
    assert provenance.commit() == {"commit": head.stdout.strip(), "dirty": False}
    (clone / name).write_text("2")
    assert provenance.commit() == {"commit": head.stdout.strip(), "dirty": dirty}


def test_outside_a_clone_nothing_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "HERE", tmp_path)
    assert provenance.commit() == {"commit": None, "dirty": None}


def test_other_objects_and_other_windows_are_other_samples(tmp_path):
    """As many objects of as many images each time, of one store."""
    store = write_store(tmp_path / "blobs.h5")

    def digest(**settings) -> str:
        data = PatchDataModule([str(store)], **{"side": 64} | settings)
        data.setup("test")
        return provenance.samples_digest(data.datasets["test"])

    data = PatchDataModule([str(store)], side=64)
    data.setup("test")
    names = [data.datasets["test"].name(number) for number in range(8)]
    lists = [tmp_path / f"{number}.txt" for number in range(3)]
    for path, chosen in zip(lists, (names[:2], names[1:3], names[:2]), strict=True):
        path.write_text("# a comment\n" * ("2" in path.name) + "\n".join(chosen))
    digests = [digest(), digest(side=48), *(digest(test_list=str(path)) for path in lists)]
    assert digests[0] == digest()
    assert digests[2] == digests[4]
    assert len(set(digests)) == 4

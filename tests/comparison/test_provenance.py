"""Which state of the code a result comes from."""

import hashlib
import subprocess
from functools import partial
from pathlib import Path

import pytest

from tests.helpers.blobs import write_experiment, write_store
from zoo.comparison import provenance
from zoo.config.cli import ZooCLI, run
from zoo.data import ObjectWindows, PatchDataModule
from zoo.hub.index import entries


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


def test_code_in_the_folder_of_another_project_is_not_of_its_commit(clone, monkeypatch):
    installed = clone / ".venv" / "zoo"
    installed.mkdir(parents=True)
    (installed / "code.py").write_text("1")
    monkeypatch.setattr(provenance, "HERE", installed)
    assert provenance.commit() == {"commit": None, "dirty": None}


def test_a_git_that_does_not_answer(clone, monkeypatch):
    def late(*arguments, **options):
        raise subprocess.TimeoutExpired("git", 20)

    monkeypatch.setattr(subprocess, "run", late)
    assert provenance.commit() == {"commit": None, "dirty": None}


def test_other_objects_and_other_windows_are_other_samples(tmp_path):
    """As many objects of as many images each time, of one store."""
    store = write_store(tmp_path / "blobs.h5")

    def digest(side: int = 64, **settings) -> str:
        data = PatchDataModule([str(store)], train=partial(ObjectWindows, side=side), **settings)
        data.setup("test")
        return provenance.samples_digest(data.datasets["test"])

    data = PatchDataModule([str(store)], train=partial(ObjectWindows, side=64))
    data.setup("test")
    names = [data.datasets["test"].name(number) for number in range(8)]
    lists = [tmp_path / f"{number}.txt" for number in range(3)]
    for path, chosen in zip(lists, (names[:2], names[1:3], names[:2]), strict=True):
        path.write_text("# a comment\n" * ("2" in path.name) + "\n".join(chosen))
    digests = [digest(), digest(side=48), *(digest(test_list=str(path)) for path in lists)]
    assert digests[0] == digest()
    assert digests[2] == digests[4]
    assert len(set(digests)) == 4


def test_the_configuration_hash_knows_what_a_list_says_and_not_where(tmp_path, monkeypatch):
    monkeypatch.setattr(ZooCLI, "instantiate_classes", lambda self: None)
    store = write_store(tmp_path / "blobs.h5")
    lists = [tmp_path / f"{number}.txt" for number in range(3)]
    for path, text in zip(lists, ("a\nb\n", "# the same\na\nb\n", "a\nc\n"), strict=True):
        path.write_text(text)
    arguments = ["-c", str(write_experiment(tmp_path / "a.yaml", store))]
    first, moved, other = (
        provenance.config_hash(run([*arguments, f"--data.test_list={path}"], run_verb=False)) for path in lists
    )
    assert first == moved != other
    lists[0].write_text("a\nc\n")
    assert provenance.config_hash(run([*arguments, f"--data.test_list={lists[0]}"], run_verb=False)) == other


def test_every_checkpoint_that_a_model_names_is_recorded(tmp_path):
    trained, folder = tmp_path / "last.ckpt", tmp_path / "folder"
    trained.write_bytes(b"trained")
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"exported")
    arguments = {
        "weights": str(trained),
        "guide": "deepscribble-guide-glas",
        "parts": [{"class_path": "some.Class", "init_args": {"teacher": str(folder), "rule": "largest"}}],
        "turns": [1.0],
        "other": "gone.ckpt",
    }
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in (("t", b"trained"), ("e", b"exported"))}
    assert provenance.checkpoints(arguments) == {
        "weights": {"name": "last.ckpt", "sha256": sums["t"]},
        "guide": {
            "name": "deepscribble-guide-glas",
            "sha256": entries()["deepscribble-guide-glas"].files["model.safetensors"],
        },
        "parts.0.teacher": {"name": "folder", "sha256": sums["e"]},
    }
    assert provenance.checkpoints({"weights": "imagenet", "sigma": 1.0}) is None

"""`zoo validate`: each thing that can be wrong is found, and nothing else is."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from tests.helpers.checkpoints import nuclick_folder, state
from tests.helpers.server import contents, serving
from zoo.cli import main
from zoo.hub.folder import read_config, save_folder
from zoo.hub.index import entries, write_entry

CARD = """\
title: A tiny NuClick
licence: CC0-1.0
trained_on: Nothing.
intended_use: Tests.
limits: All of them.
task: nuclei
data: Disks
"""


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder with an index and one checkpoint, `tiny`, as `zoo publish` makes them."""
    (tmp_path / "card.yaml").write_text(CARD)
    (tmp_path / "CC0.txt").write_text("No rights reserved.")
    source = nuclick_folder(tmp_path / "source")
    given = ["--card", str(tmp_path / "card.yaml"), "--licence-file", str(tmp_path / "CC0.txt")]
    assert main(["publish", str(source), "--to", str(tmp_path / "lab" / "tiny"), *given]) == 0
    return tmp_path / "lab"


def wrong(path: object, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What is wrong with a checkpoint, by what was looked at."""
    capsys.readouterr()
    code = main(["validate", str(path), "--json"])
    (found,) = json.loads(capsys.readouterr().out).values()
    out = {what: text for what, text in found["checks"].items() if text}
    assert (code, found["right"]) == ((2, False) if out else (0, True))
    assert list(found["checks"]) == ["files", "checksums", "licence", "mpp", "card", "segments"]
    return out


def test_what_publish_makes_is_right(lab, capsys):
    assert wrong(lab / "tiny", capsys) == wrong(lab, capsys) == wrong(lab / "index.yaml", capsys) == {}
    assert main(["validate", str(lab)]) == 0
    assert "1 of 1 can be published as they are" in capsys.readouterr().out


def again(folder: Path, **arguments: object) -> None:
    """The same folder with other arguments of its method, and the checksums of that."""
    config = read_config(folder)
    config["init_args"] |= arguments
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def diverged(folder: Path) -> None:
    weights = {**state(), "network.out.bias": torch.full_like(state()["network.out.bias"], 0.0)}
    save_folder(folder, read_config(folder), weights, (folder / "README.md").read_text())
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-8])


FAULTS: dict[str, tuple[Callable[[Path], object], dict[str, str]]] = {
    "no licence file": (lambda f: (f / "LICENSE").unlink(), {"files": "LICENSE is missing", "checksums": "LICENSE"}),
    "empty licence": (lambda f: (f / "LICENSE").write_text("\n"), {"checksums": "LICENSE", "licence": "is empty"}),
    "no card": (
        lambda f: (f / "README.md").unlink(),
        {"files": "README.md", "checksums": "README.md", "licence": "names none", "card": "has no title"},
    ),
    "a pickle": (lambda f: (f / "last.ckpt").write_bytes(b"x"), {"files": "last.ckpt is none of a checkpoint's files"}),
    "altered": (
        lambda f: (f / "README.md").write_text((f / "README.md").read_text() + "\n"),
        {"checksums": "README.md was changed after it was published"},
    ),
    "no resolution": (lambda f: again(f, mpp=None), {"checksums": "config.yaml", "mpp": "tells no resolution"}),
    "another resolution": (lambda f: again(f, mpp=0.5), {"checksums": "config.yaml", "mpp": "0.5 um/px in config"}),
    "does not load": (
        lambda f: again(f, network={"class_path": "zoo.networks.NoSuchNet"}),
        {"checksums": "config.yaml", "segments": "NoSuchNet"},
    ),
    "a stranger's class": (
        lambda f: again(f, encoder={"class_path": "xmlrpc.client.Transport"}),
        {"checksums": "config.yaml", "segments": "which is not of zoo"},
    ),
    "broken weights": (diverged, {"checksums": "model.safetensors", "segments": "damaged"}),
    "no config": (
        lambda f: (f / "config.yaml").unlink(),
        {"files": "config.yaml is missing", "checksums": "config.yaml", "mpp": "not readable", "segments": "config"},
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found(fault, lab, capsys):
    make, expected = FAULTS[fault]
    make(lab / "tiny")
    for path in (lab / "tiny", lab):
        found = wrong(path, capsys)
        assert found.keys() == expected.keys()
        for what, text in expected.items():
            assert text in found[what]


@pytest.mark.parametrize("looks", [1, 2])
def test_what_looks_at_the_box_of_what_it_found_needs_no_resolution(looks, lab, capsys):
    zoom = {"class_path": "zoo.inference.zoom_in.ZoomIn", "init_args": {"side": 32, "skip": 0, "looks": looks}}
    again(lab / "tiny", mpp=None, zoom=zoom)
    assert ("mpp" in wrong(lab / "tiny", capsys)) == (looks == 1)


def test_an_index_that_says_otherwise(lab, capsys):
    entry = entries(lab / "index.yaml")["tiny"]
    said = vars(entry) | {"licence": "MIT", "data": (), "files": {**entry.files, "config.yaml": "0" * 64}}
    write_entry(lab / "index.yaml", "tiny", type(entry)(**said))
    found = wrong(lab, capsys)
    assert found.keys() == {"licence", "card", "checksums"}
    assert "the card says 'CC0-1.0', the index 'MIT'" in found["licence"]
    assert "no task or no data" in found["card"]
    assert "tell different ones of config.yaml" in found["checksums"]


def test_a_folder_that_nobody_described(tmp_path, capsys):
    found = wrong(nuclick_folder(tmp_path / "tiny"), capsys)
    assert found.keys() == {"files", "checksums", "licence", "card"}
    assert "says nothing of Trained on, Intended use, Limits" in found["card"]
    assert main(["validate", str(tmp_path / "tiny")]) == 2
    assert "0 of 1 can be published" in capsys.readouterr().out


def test_an_index_on_the_web(lab, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("ISEGZOO_CACHE", str(tmp_path / "cache"))
    files = {"lab/index.yaml": (lab / "index.yaml").read_bytes(), **contents(lab / "tiny", "lab/tiny/")}
    with serving(files) as server:
        assert wrong(f"{server.address}/lab/index.yaml", capsys) == {}
        del server.files["lab/tiny/LICENSE"]
        monkeypatch.setenv("ISEGZOO_CACHE", str(tmp_path / "other"))
        assert main(["validate", f"{server.address}/lab/index.yaml", "--json"]) == 2
    assert "lab/tiny/LICENSE: download failed" in capsys.readouterr().out


def test_what_is_not_there(tmp_path, capsys):
    assert main(["validate", str(tmp_path / "gone")]) == 2
    assert "gone: not there; give a checkpoint's folder" in capsys.readouterr().err


def test_lightning_keeps_its_validate(tmp_path, capsys):
    assert main(["validate", "-c", str(tmp_path / "gone.yaml")]) == 2
    assert "gone.yaml" in capsys.readouterr().err

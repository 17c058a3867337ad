"""Publishing to Hugging Face, to a server on this machine that answers as it does."""

import re
from pathlib import Path

import pytest
import yaml

import zoo
from tests.helpers.checkpoints import nuclick_folder, unet_folder
from tests.helpers.hugging_face import answering
from zoo.cli import main

CARD = "title: Tiny\nlicence: CC0-1.0\ntask: nuclei\ndata: Disks\n"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setenv("ISEGZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    (tmp_path / "card.yaml").write_text(CARD)
    (tmp_path / "CC0.txt").write_text("No rights reserved.")
    nuclick_folder(tmp_path / "tiny")
    with answering() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        yield server


def publish(tmp_path: Path, to: str, *further: str) -> int:
    given = ["--card", str(tmp_path / "card.yaml"), "--licence-file", str(tmp_path / "CC0.txt"), *further]
    return main(["publish", str(tmp_path / "tiny"), "--to", to, *given])


def test_a_repository_of_one_checkpoint(hub, tmp_path, capsys):
    assert publish(tmp_path, "hf://lab/tiny") == 0
    (pinned,) = re.findall(r'zoo\.load\("(.*)"\)', capsys.readouterr().out)
    assert pinned == f"hf://lab/tiny@{hub.head('lab/tiny')}"
    names = ["LICENSE", "README.md", "SHA256SUMS", "config.yaml", "model.safetensors"]
    assert sorted(hub.files("lab/tiny")) == names
    assert hub.commits["lab/tiny"] == ["Publish tiny"]
    assert zoo.load(pinned).mpp == zoo.load("hf://lab/tiny").mpp == 0.25


def test_a_folder_with_the_index_above_it(hub, tmp_path):
    assert publish(tmp_path, "hf://lab/zoo/tiny", "--metric", "AJI, Disks=0.5") == 0
    assert publish(tmp_path, "hf://lab/zoo/other") == 0
    # Again: the metrics stay, and so does the other entry.
    assert publish(tmp_path, "hf://lab/zoo/tiny", "--change", "Better words") == 0
    assert hub.commits["lab/zoo"] == ["Publish tiny", "Publish other", "Publish tiny"]
    files = hub.files("lab/zoo")
    index = yaml.safe_load(files["index.yaml"])
    assert list(index) == ["tiny", "other"]
    assert index["tiny"]["metrics"] == {"AJI, Disks": 0.5}
    card = files["tiny/README.md"].decode()
    first, second = card.partition("## Changes\n\n")[2].splitlines()
    assert first.endswith(": Better words")
    assert second.endswith(": published")
    assert zoo.load("tiny", index="hf://lab/zoo").mpp == 0.25


def test_an_index_that_can_not_be_read_is_not_replaced(hub, tmp_path, capsys):
    assert publish(tmp_path, "hf://lab/zoo/tiny") == 0
    hub.broken.add("index.yaml")
    assert publish(tmp_path, "hf://lab/zoo/other") == 2
    assert "index.yaml" in capsys.readouterr().err
    assert hub.commits["lab/zoo"] == ["Publish tiny"]


def test_an_index_that_somebody_else_changed_meanwhile(hub, tmp_path, capsys):
    assert publish(tmp_path, "hf://lab/zoo/tiny") == 0
    hub.meanwhile = {"index.yaml": b"theirs: {}"}
    assert publish(tmp_path, "hf://lab/zoo/other") == 2
    assert "nothing was published" in capsys.readouterr().err
    assert hub.files("lab/zoo")["index.yaml"] == b"theirs: {}"


def test_who_is_not_logged_in_is_told(hub, tmp_path, capsys):
    hub.token = "another"
    assert publish(tmp_path, "hf://lab/tiny") == 2
    told = capsys.readouterr().err
    assert "hf://lab/tiny: can't be uploaded, and nothing was published" in told
    assert "log in with `hf auth login`, or set HF_TOKEN" in told
    assert hub.commits == {}


def test_graphs_go_there_too(hub, tmp_path):
    pytest.importorskip("onnx")
    unet_folder(tmp_path / "tiny")
    assert main(["publish", str(tmp_path / "tiny"), "--to", "hf://lab/graphs/tiny", "--format", "onnx"]) == 0
    assert sorted(hub.files("lab/graphs")) == ["tiny/README.md", "tiny/SHA256SUMS", "tiny/model.onnx"]

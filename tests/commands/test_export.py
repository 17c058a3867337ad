import json
from pathlib import Path

import pytest
import torch
import yaml

import zoo
from zoo.cli import main
from zoo.hub.ckpt import read_ckpt
from zoo.hub.folder import read_config, read_weights
from zoo.hub.index import checksums, entries
from zoo.hub.load import load_method

CARD = """\
title: A tiny NuClick
licence: CC0-1.0
trained_on: Four disks.
intended_use: Tests.
limits: All of them.
citation: nobody
"""


def second_step(trained: Path) -> Path:
    """Saved while the average and the current weights still differ; when training ends, both are the average."""
    (path,) = trained.glob("*step=2.ckpt")
    return path


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "card.yaml"
    path.write_text(CARD)
    return path


def test_export_of_a_training(trained, tmp_path, card, capsys):
    folder = tmp_path / "out"
    assert (
        main(["export", str(trained / "last.ckpt"), "--out", str(folder), "--name", "tiny", "--card", str(card)]) == 0
    )
    entry = yaml.safe_load(capsys.readouterr().out)["tiny"]
    assert entry["files"] == checksums(folder)
    assert sorted(entry["files"]) == ["README.md", "config.yaml", "model.safetensors"]
    assert (entry["title"], entry["licence"], entry["mpp"]) == ("A tiny NuClick", "CC0-1.0", 0.25)
    config = read_config(folder)
    assert config["class_path"] == "zoo.methods.NuClick"
    assert {"optimizer", "scheduler", "weights"}.isdisjoint(config["init_args"])
    assert config["init_args"]["zoom"]["init_args"] == {"side": 32}
    session = zoo.load(str(folder))
    assert session.mpp == 0.25
    assert session.engine.window == 32


def test_averaged_weights_are_exported(trained, tmp_path):
    content = torch.load(second_step(trained), weights_only=True)
    averaged, current = content["state_dict"], content["current_model_state"]
    assert not torch.equal(averaged["network.out.weight"], current["network.out.weight"])
    main(["export", str(second_step(trained)), "--out", str(tmp_path / "x"), "--name", "x", "--no-half"])
    for name, value in read_weights(tmp_path / "x").items():
        assert torch.equal(value, averaged[name])


def test_an_exported_network_segments_like_the_trained_one(trained, tmp_path):
    main(["export", str(trained / "last.ckpt"), "--out", str(tmp_path / "x"), "--name", "x", "--no-half"])
    exported = load_method(str(tmp_path / "x"))
    config, state = read_ckpt(trained / "last.ckpt")
    crops = torch.rand(2, 5, 32, 32)
    other = load_method(str(tmp_path / "x"))
    torch.nn.init.zeros_(other.network.out.weight)
    other.load_state_dict(state)
    with torch.no_grad():
        assert torch.equal(exported.network(crops), other.network(crops))
    assert config["class_path"] == "zoo.methods.NuClick"


def test_the_entry_goes_into_an_index(trained, tmp_path, card):
    index = tmp_path / "index.yaml"
    licence = tmp_path / "CC0.txt"
    licence.write_text("No rights reserved.")
    common = ["export", str(trained / "last.ckpt"), "--index", str(index), "--card", str(card)]
    assert main([*common, "--out", str(tmp_path / "a"), "--name", "a", "--licence-file", str(licence)]) == 0
    assert main([*common, "--out", str(tmp_path / "b"), "--name", "b", "--url", "https://example.org/b"]) == 0
    found = entries(index)
    assert sorted(found) == ["a", "b"]
    assert found["a"].files == checksums(tmp_path / "a")
    assert (tmp_path / "a" / "LICENSE").read_text() == "No rights reserved."
    assert found["a"].url is None
    assert found["b"].url == "https://example.org/b"


def test_the_card_says_everything(trained, tmp_path, card):
    result = {
        "schema": "isegzoo.result/1",
        "experiment": "nuclick-tiny",
        "title": "NuClick on disks",
        "protocol": "one-shot",
        "settings": {},
        "data": {
            "dataset": "Disks", "split": "test", "split_unit": "patient", "licence": "CC0-1.0", "citation": "nobody",
            "checksum": "0" * 64, "limit": None, "patients": 1, "images": 17, "objects": 68,
        },
        "metrics": {"aji": 0.7312, "images": 17.0},
        "source": "paper",
        "reference": "Table 1",
    }  # fmt: skip
    (tmp_path / "r.json").write_text(json.dumps(result))
    arguments = ["--out", str(tmp_path / "x"), "--name", "tiny-disks", "--card", str(card)]
    assert main(["export", str(trained / "last.ckpt"), *arguments, "--result", str(tmp_path / "r.json")]) == 0
    text = (tmp_path / "x" / "README.md").read_text()
    said = [
        "# A tiny NuClick",
        'zoo.load("tiny-disks")',
        "mpp=0.25",
        "Four disks.",
        "All of them.",
        "CC0-1.0",
        "nobody",
    ]
    assert [part for part in said if part not in text] == []
    assert "| NuClick on disks | Disks | test | 17 | 0.731 |" in text


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None])
def test_what_is_no_checkpoint(tmp_path, capsys, content):
    path = tmp_path / "bad.ckpt"
    if content is not None:
        path.write_bytes(content)
    assert main(["export", str(path), "--out", str(tmp_path / "x"), "--name", "x"]) == 2
    assert "bad.ckpt: not a readable checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_a_checkpoint_that_was_not_made_by_fit(tmp_path, capsys):
    torch.save({"state_dict": {}, "hyper_parameters": {}}, tmp_path / "a.ckpt")
    torch.save({"hyper_parameters": {"network": torch.nn.ReLU()}, "state_dict": {}}, tmp_path / "b.ckpt")
    for name in ("a.ckpt", "b.ckpt"):
        assert main(["export", str(tmp_path / name), "--out", str(tmp_path / "x"), "--name", "x"]) == 2
        assert "give a .ckpt of `zoo fit`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"), [("licence: x", "title"), ("title: a\nlicence: b\nlimts: c", "limts"), ("- a", "title, licence")]
)
def test_a_card_with_wrong_fields(trained, tmp_path, capsys, text, said):
    (tmp_path / "card.yaml").write_text(text)
    arguments = ["--out", str(tmp_path / "x"), "--name", "x", "--card", str(tmp_path / "card.yaml")]
    assert main(["export", str(trained / "last.ckpt"), *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "x").exists()

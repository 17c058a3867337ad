import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch

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
task: nuclei
data: Disks, Others
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


def published(trained: Path, folder: Path, *further: object) -> int:
    return main(["publish", str(trained / "last.ckpt"), "--to", str(folder), *map(str, further)])


def shown(folder: Path) -> list[str]:
    """What a person sees of a folder; locks are hidden."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_a_training_becomes_a_folder_and_an_entry(trained, tmp_path, card):
    folder = tmp_path / "lab" / "tiny"
    assert published(trained, folder, "--card", card, "--metric", "AJI, Disks=0.5") == 0
    entry = entries(tmp_path / "lab" / "index.yaml")["tiny"]
    found = checksums(folder)
    assert (folder / "SHA256SUMS").read_text() == "".join(f"{found[file]}  {file}\n" for file in entry.files)
    assert sorted(entry.files) == ["README.md", "config.yaml", "model.safetensors"]
    assert {file: found[file] for file in entry.files} == entry.files
    assert (entry.title, entry.licence, entry.mpp) == ("A tiny NuClick", "CC0-1.0", 0.25)
    assert (entry.task, entry.data, entry.metrics) == (("nuclei",), ("Disks", "Others"), {"AJI, Disks": 0.5})
    config = read_config(folder)
    assert config["class_path"] == "zoo.methods.NuClick"
    assert {"optimizer", "scheduler", "weights"}.isdisjoint(config["init_args"])
    assert config["init_args"]["zoom"]["init_args"] == {"side": 32}
    session = zoo.load("tiny", index=str(tmp_path / "lab"))
    assert session.mpp == 0.25
    assert session.engine.window == 32
    assert shown(tmp_path / "lab") == ["index.yaml", "tiny"]


def test_averaged_weights_are_published(trained, tmp_path):
    content = torch.load(second_step(trained), weights_only=True)
    averaged, current = content["state_dict"], content["current_model_state"]
    assert not torch.equal(averaged["network.out.weight"], current["network.out.weight"])
    assert main(["publish", str(second_step(trained)), "--to", str(tmp_path / "x"), "--bits", "32"]) == 0
    for name, value in read_weights(tmp_path / "x").items():
        assert torch.equal(value, averaged[name])


@pytest.mark.parametrize("bits", ["8", "32"])
def test_a_checkpoint_is_published_once_more_with_its_weights_as_they_are(trained, tmp_path, bits):
    assert published(trained, tmp_path / "x", "--bits", bits) == 0
    assert main(["publish", str(tmp_path / "x"), "--to", str(tmp_path / "y")]) == 0
    again = (tmp_path / "y" / "model.safetensors").read_bytes()
    assert again == (tmp_path / "x" / "model.safetensors").read_bytes()
    assert main(["publish", str(tmp_path / "x"), "--to", str(tmp_path / "z"), "--bits", "16"]) == 0
    assert (tmp_path / "z" / "model.safetensors").stat().st_size != len(again)


def test_a_published_network_segments_like_the_trained_one(trained, tmp_path):
    assert published(trained, tmp_path / "x", "--bits", "32") == 0
    ours = load_method(str(tmp_path / "x"))
    config, state = read_ckpt(trained / "last.ckpt")
    crops = torch.rand(2, 5, 32, 32)
    other = load_method(str(tmp_path / "x"))
    torch.nn.init.zeros_(other.network.out.weight)
    other.load_state_dict(state)
    with torch.no_grad():
        assert torch.equal(ours.network(crops), other.network(crops))
    assert config["class_path"] == "zoo.methods.NuClick"


def test_a_run_is_published_with_its_experiment(trained, tmp_path, card):
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    (run / "checkpoints" / "best.ckpt").write_bytes(second_step(trained).read_bytes())
    (run / "checkpoints" / "last.ckpt").write_bytes((trained / "last.ckpt").read_bytes())
    (run / "config.yaml").write_bytes((trained / "experiment.yaml").read_bytes())
    assert main(["publish", str(run), "--to", str(tmp_path / "x"), "--card", str(card), "--bits", "32"]) == 0
    best = torch.load(second_step(trained), weights_only=True)["state_dict"]
    assert torch.equal(read_weights(tmp_path / "x")["network.out.weight"], best["network.out.weight"])
    assert (tmp_path / "x" / "training.yaml").read_bytes() == (trained / "experiment.yaml").read_bytes()
    assert "training.yaml" in entries(tmp_path / "index.yaml")["x"].files
    text = (tmp_path / "x" / "README.md").read_text()
    assert "zoo fit -c training.yaml\n" in text
    assert f"zoo publish {run} --to {tmp_path / 'x'} --card {card} --bits 32\n" in text


def test_published_again(trained, tmp_path, card):
    licence = tmp_path / "CC0.txt"
    licence.write_text("No rights reserved.")
    given = ["--card", card, "--licence-file", licence, "--metric", "AJI, Disks=0.5", "--metric", "NoC@85, Disks=3"]
    assert published(trained, tmp_path / "lab" / "tiny", *given) == 0
    first = entries(tmp_path / "lab" / "index.yaml")["tiny"]
    readme = tmp_path / "lab" / "tiny" / "README.md"
    today = datetime.now(UTC).date().isoformat()
    (line,) = changes_of(readme)
    assert line == f"- {today}, weights {first.files['model.safetensors'][:8]}: published"
    # The same weights: nothing changed.
    assert published(trained, tmp_path / "lab" / "tiny", "--card", card) == 0
    assert changes_of(readme) == [line]
    # Others, and a word on them; the entry's metrics and the licence stay.
    again = ["publish", str(second_step(trained)), "--to", str(tmp_path / "lab" / "tiny"), "--card", str(card)]
    assert main([*again, "--change", "One step less"]) == 0
    second = entries(tmp_path / "lab" / "index.yaml")["tiny"]
    assert second.metrics == first.metrics == {"AJI, Disks": 0.5, "NoC@85, Disks": 3}
    assert (readme.parent / "LICENSE").read_text() == "No rights reserved."
    weights = second.files["model.safetensors"]
    assert weights != first.files["model.safetensors"]
    assert changes_of(readme) == [f"- {today}, weights {weights[:8]}: One step less", line]
    # New ones replace them.
    assert main([*again, "--metric", "AJI, Disks=0.25"]) == 0
    assert entries(tmp_path / "lab" / "index.yaml")["tiny"].metrics == {"AJI, Disks": 0.25}
    assert shown(tmp_path / "lab") == ["index.yaml", "tiny"]


def test_what_can_be_said_is_what_the_card_says_or_what_was_said_in_training(trained, tmp_path, card):
    def said(*further: object) -> tuple[str, ...]:
        assert published(trained, tmp_path / "x", *further) == 0
        return entries(tmp_path / "index.yaml")["x"].interaction

    assert said() == ("click",)
    text = card.read_text()
    card.write_text(text + "interaction: squiggle, click\n")
    assert said("--card", card) == ("squiggle", "click")
    card.write_text(text)
    assert said("--card", card) == ("squiggle", "click")


def changes_of(readme: Path) -> list[str]:
    return readme.read_text().partition("## Changes\n\n")[2].splitlines()


@pytest.mark.parametrize("field", ["task: [nuclei, glands]", "task: {nuclei: 1}"])
def test_a_card_whose_texts_are_none_is_refused(trained, tmp_path, card, field, capsys):
    card.write_text(card.read_text().replace("task: nuclei", field))
    assert published(trained, tmp_path / "x", "--card", card) == 2
    assert "card.yaml: no model card (task is no text: write `task: one, another`)" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_another_licence_does_not_keep_the_old_text(trained, tmp_path, card):
    (tmp_path / "CC0.txt").write_text("No rights reserved.")
    assert published(trained, tmp_path / "x", "--card", card, "--licence-file", tmp_path / "CC0.txt") == 0
    card.write_text(CARD.replace("CC0-1.0", "MIT"))
    assert published(trained, tmp_path / "x", "--card", card) == 0
    assert not (tmp_path / "x" / "LICENSE").exists()
    assert entries(tmp_path / "index.yaml")["x"].licence == "MIT"


def test_a_checkpoint_is_published_as_it_is(trained, tmp_path, card):
    (tmp_path / "CC0.txt").write_text("No rights reserved.")
    given = ["--card", card, "--licence-file", tmp_path / "CC0.txt", "--metric", "AJI, Disks=0.5"]
    assert published(trained, tmp_path / "a" / "tiny", *given) == 0
    assert main(["publish", str(tmp_path / "a" / "tiny"), "--to", str(tmp_path / "b" / "tiny")]) == 0
    for file in ("config.yaml", "model.safetensors", "README.md", "LICENSE"):
        assert (tmp_path / "b" / "tiny" / file).read_bytes() == (tmp_path / "a" / "tiny" / file).read_bytes()
    assert entries(tmp_path / "b" / "index.yaml") == entries(tmp_path / "a" / "index.yaml")


def test_the_index_must_find_the_folder(trained, tmp_path, card, capsys):
    elsewhere = tmp_path / "other" / "index.yaml"
    given = ["--card", card, "--index", elsewhere]
    assert published(trained, tmp_path / "x", *given) == 2
    assert f"looks for x in {elsewhere.parent / 'x'}, not in" in capsys.readouterr().err
    assert published(trained, tmp_path / "x", "--name", "y") == 2
    assert published(trained, tmp_path / "x", "--name", "../y") == 2
    assert not (tmp_path / "x").exists()
    assert published(trained, tmp_path / "x", *given, "--url", "https://example.org/x") == 0
    assert entries(elsewhere)["x"].url == "https://example.org/x"


def test_a_folder_of_other_things_is_not_replaced(trained, tmp_path, capsys):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "thesis.tex").write_text("three years")
    assert published(trained, tmp_path / "x") == 2
    assert "holds thesis.tex, which publishing would remove" in capsys.readouterr().err
    assert (tmp_path / "x" / "thesis.tex").read_text() == "three years"


def test_what_fails_half_way_leaves_the_old_folder(trained, tmp_path, card, monkeypatch):
    assert published(trained, tmp_path / "x", "--card", card) == 0
    before, index = checksums(tmp_path / "x"), (tmp_path / "index.yaml").read_text()

    def full(folder: Path) -> dict[str, str]:
        assert (folder / "model.safetensors").is_file()
        assert folder.name != "x"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("zoo.publishing.checkpoint.write_sums", full)
    assert main(["publish", str(second_step(trained)), "--to", str(tmp_path / "x")]) == 2
    assert main(["publish", str(second_step(trained)), "--to", str(tmp_path / "y")]) == 2
    assert checksums(tmp_path / "x") == before
    assert (tmp_path / "index.yaml").read_text() == index
    assert shown(tmp_path) == ["card.yaml", "index.yaml", "x"]


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
    assert published(trained, tmp_path / "tiny-disks", "--card", card, "--result", tmp_path / "r.json") == 0
    text = (tmp_path / "tiny-disks" / "README.md").read_text()
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
    assert main(["publish", str(path), "--to", str(tmp_path / "x")]) == 2
    assert "bad.ckpt: not a readable checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_a_checkpoint_that_was_not_made_by_fit(tmp_path, capsys):
    torch.save({"state_dict": {}, "hyper_parameters": {}}, tmp_path / "a.ckpt")
    torch.save({"hyper_parameters": {"network": torch.nn.ReLU()}, "state_dict": {}}, tmp_path / "b.ckpt")
    for name in ("a.ckpt", "b.ckpt"):
        assert main(["publish", str(tmp_path / name), "--to", str(tmp_path / "x")]) == 2
        assert "give a .ckpt of `zoo fit`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"), [("licence: x", "title"), ("title: a\nlicence: b\nlimts: c", "limts"), ("- a", "title, licence")]
)
def test_a_card_with_wrong_fields(trained, tmp_path, capsys, text, said):
    (tmp_path / "card.yaml").write_text(text)
    assert published(trained, tmp_path / "x", "--card", tmp_path / "card.yaml") == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--metric", "AJI"], "--metric 'AJI': write what was measured"),
        (["--format", "onnx", "--metric", "AJI=1"], "makes no entry of an index"),
    ],
)
def test_wrong_options(tmp_path, capsys, arguments, said):
    assert main(["publish", "gone.ckpt", "--to", str(tmp_path / "x"), *arguments]) == 2
    assert said in capsys.readouterr().err

"""`zoo models`, `zoo info` and `zoo download` as people and scripts use them."""

import json
import shutil
from pathlib import Path

import pytest

from tests.helpers.checkpoints import nuclick_folder
from tests.helpers.server import contents, serving
from zoo.cli import main
from zoo.hub.index import SHIPPED, Entry, checksums, entries, write_entry


@pytest.fixture
def lab(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("ISEGZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ZOO_INDEX", raising=False)
    folder = nuclick_folder(tmp_path / "lab" / "tiny")
    entry = Entry("Tiny NuClick", "CC0-1.0", checksums(folder), 0.25, task=("nuclei",), interaction=("click",))
    write_entry(tmp_path / "lab" / "index.yaml", "tiny", entry)
    return tmp_path / "lab"


@pytest.mark.parametrize("width", ["60", "200"])
def test_the_table_cuts_no_name_and_no_number(width, lab, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", width)
    assert main(["models", "--index", str(lab)]) == 0
    out = capsys.readouterr().out
    for name in [*entries(), "tiny"]:
        assert name in out
    for word in ("task", "interaction", "licence", "0.125", "squiggle"):
        assert word in out
    for entry in entries().values():
        assert f"{(entry.size or 0) / 1e6:.1f} MB" in out
        for number in (entry.metrics or {}).values():
            assert f"{number:g}" in out
    assert max(map(len, out.splitlines())) <= int(width)


def test_json_is_complete(lab, capsys):
    assert main(["models", "tin*", "--index", str(lab), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["name"], found["index"], found["licence"], found["where"]) == ("tiny", "lab", "CC0-1.0", "here")
    assert main(["models", "--task", "bones", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_nothing_is_like_that(lab, capsys):
    assert main(["models", "no-such"]) == 0
    assert capsys.readouterr().err == "zoo models: no checkpoint is like that; `zoo models` alone lists all\n"


def test_an_index_that_can_not_be_read_is_told_and_left_out(lab, capsys):
    (lab / "index.yaml").write_text("[")
    assert main(["models", "nuclei", "--index", str(lab)]) == 0
    told = capsys.readouterr()
    assert "zoo models: left out:" in told.err
    assert "nuclick-nuclei-compact" in told.out
    (lab / "index.yaml").write_text(f"a: {{title: T, licence: L, url: 5, files: {{config.yaml: '{'0' * 64}'}}}}")
    assert main(["models", "nuclei", "--index", str(lab)]) == 0
    assert "a: url must be a text" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["info", "download"])
def test_what_is_no_checkpoint(verb, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    assert main([verb, str(tmp_path)]) == 2
    assert f"{tmp_path}: no checkpoint, for want of config.yaml" in capsys.readouterr().err
    assert main([verb, "https://"]) == 2
    assert "names no server; write https://HOST/FOLDER" in capsys.readouterr().err


def test_info_shows_the_card(lab, capsys):
    assert main(["info", "nuclei"]) == 0
    out = capsys.readouterr().out
    assert "CC-BY-NC-SA-4.0" in out
    assert out.endswith((SHIPPED / "nuclei" / "README.md").read_text())
    assert main(["info", str(lab / "tiny"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["card"] == "# tiny\n"
    assert main(["info", "nucleii"]) == 2
    assert "is nuclei meant?" in capsys.readouterr().err


def test_info_of_what_was_not_downloaded_fetches_the_card_only(lab, capsys):
    files = {"lab/index.yaml": (lab / "index.yaml").read_bytes(), **contents(lab / "tiny", "lab/tiny/")}
    with serving(files) as server:
        assert main(["info", "tiny", "--index", f"{server.address}/lab", "--json"]) == 0
        assert set(server.asked) == {"lab/index.yaml", "lab/tiny/README.md"}
    found = json.loads(capsys.readouterr().out)
    assert (found["card"], found["where"], found["folder"]) == ("# tiny\n", "on the web", None)


def test_download_into_a_folder(lab, tmp_path, capsys):
    files = {"lab/index.yaml": (lab / "index.yaml").read_bytes(), **contents(lab / "tiny", "lab/tiny/")}
    with serving(files) as server:
        arguments = ["download", "tiny", "--index", f"{server.address}/lab", "--to", str(tmp_path / "to")]
        assert main(arguments) == 0
        assert main(arguments) == 0
        assert server.asked["lab/tiny/model.safetensors"] == 1
        assert checksums(tmp_path / "to" / "tiny") == checksums(lab / "tiny")
        (tmp_path / "to" / "tiny" / "config.yaml").write_text("mine")
        assert main(arguments) == 2
        assert "config.yaml: sha256 is" in capsys.readouterr().err
        assert (tmp_path / "to" / "tiny" / "config.yaml").read_text() == "mine"


def test_one_that_fails_does_not_keep_the_others(lab, capsys):
    shutil.rmtree(lab / "tiny")
    assert main(["download", "tiny", "nuclei", "--index", str(lab), "--json"]) == 2
    told = capsys.readouterr()
    assert json.loads(told.out) == {"nuclei": str(SHIPPED / "nuclei")}
    assert "1 of 2 are missing" in told.err


@pytest.mark.parametrize("arguments", [[], ["nuclei", "--all"]])
def test_names_or_all(arguments, capsys):
    assert main(["download", *arguments]) == 2
    assert "give names of checkpoints, or --all" in capsys.readouterr().err

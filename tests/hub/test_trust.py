"""Nothing of a download is unpickled, and no module is imported for it, unless somebody says so."""

import json
import os
import pickle
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
from tests.helpers.checkpoints import CONFIG, nuclick_folder, state
from tests.helpers.server import contents, serving
from zoo.cli import main
from zoo.errors import CheckpointError
from zoo.hub.folder import save_folder
from zoo.hub.load import load_method, load_segmenter, load_weights

EVIL = """
from pathlib import Path
Path({touched!r}).touch()
from zoo.encoders import InclusionExclusion
class Encoder(InclusionExclusion): ...
"""
INIT = CONFIG["init_args"]
NAMES = {
    "the method": {"class_path": "evil_{n}.Encoder", "init_args": INIT},
    "a part": {**CONFIG, "init_args": {**INIT, "encoder": {"class_path": "evil_{n}.Encoder"}}},
    "in short": {**CONFIG, "init_args": {**INIT, "encoder": "evil_{n}.Encoder"}},
    "YAML in a text": {**CONFIG, "init_args": {**INIT, "encoder": '{"class_path": "ev\\x69l_{n}.Encoder"}'}},
    "the segmenter": {**CONFIG, "segmenter": "evil_{n}.Encoder"},
    "through zoo": {**CONFIG, "init_args": {**INIT, "encoder": "zoo.files.os.system"}},
    "a function of zoo": {"class_path": "zoo.hub.folder.build", "init_args": {"config": {"class_path": "x"}}},
    "the standard library": {**CONFIG, "init_args": {**INIT, "encoder": {"class_path": "subprocess.Popen"}}},
}


class Poison:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


@pytest.fixture
def touched(tmp_path, monkeypatch) -> Path:
    """A file that is there once the stranger's code has run; his module is named after the test's folder."""
    path = tmp_path / "touched"
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / f"{module_of(tmp_path)}.py").write_text(EVIL.format(touched=str(path)))
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    monkeypatch.setenv("ISEGZOO_CACHE", str(tmp_path / "cache"))
    return path


def module_of(folder: Path) -> str:
    return f"evil_{abs(hash(folder))}"


def poisoned(folder: Path, config: dict[str, Any]) -> Path:
    """A folder whose configuration names the module of the test."""
    number = module_of(folder.parent).removeprefix("evil_")
    save_folder(folder, json.loads(json.dumps(config).replace("{n}", number)), state(), "# tiny\n")
    return folder


@pytest.mark.parametrize("how", NAMES)
def test_a_strangers_class_is_not_imported(how, tmp_path, touched):
    folder = poisoned(tmp_path / "tiny", NAMES[how])
    with serving(contents(folder, "tiny/")) as server:
        for name in (str(folder), f"{server.address}/tiny"):
            with pytest.raises(CheckpointError, match=r"names .*, which is (not of|no class of) zoo"):
                zoo.load(name)
        if how != "the segmenter":  # which those who train do not build
            ours = load_segmenter(str(nuclick_folder(tmp_path / "x")))
            for call in (load_method, partial(load_weights, ours)):
                with pytest.raises(CheckpointError, match=r"which is (not of|no class of) zoo"):
                    call(f"{server.address}/tiny")
    assert not touched.exists()
    assert module_of(tmp_path) not in sys.modules


def test_who_trusts_a_stranger_says_so(tmp_path, touched, capsys):
    folder = poisoned(tmp_path / "tiny", NAMES["a part"])
    said = {"interactions": [{"type": "click", "x": 4.5, "y": 4.5, "positive": True}]}
    (tmp_path / "a.json").write_text(json.dumps({"schema": "isegzoo.interactions/1", "objects": [said]}))
    arguments = ["segment", "gone.png", "--interactions", str(tmp_path / "a.json"), "--out", str(tmp_path / "m.png")]
    assert main([*arguments, "--checkpoint", str(folder)]) == 2
    assert "with --trust-code" in capsys.readouterr().err
    assert not touched.exists()
    assert main([*arguments, "--checkpoint", str(folder), "--trust-code"]) == 2
    assert "gone.png" in capsys.readouterr().err
    assert touched.exists()
    with serving(contents(folder, "tiny/")) as server:
        with pytest.raises(CheckpointError, match=r"trust_code=True, in the shell with --trust-code"):
            zoo.load(f"{server.address}/tiny")
        assert zoo.load(f"{server.address}/tiny", trust_code=True).mpp == 0.25


def test_a_class_that_the_program_has_imported_is_ones_own(tmp_path, touched):
    folder = poisoned(tmp_path / "tiny", NAMES["a part"])
    with pytest.raises(CheckpointError, match="not of zoo"):
        zoo.load(folder)
    __import__(module_of(tmp_path))
    assert zoo.load(folder).mpp == 0.25
    with serving(contents(folder, "tiny/")) as server, pytest.raises(CheckpointError, match="not of zoo"):
        zoo.load(f"{server.address}/tiny")


def test_an_experiment_names_its_own_folder(tmp_path, touched):
    """What `zoo fit` and RefineNet's guide load: whoever names a path in an experiment names classes there, too."""
    folder = poisoned(tmp_path / "tiny", NAMES["a part"])
    assert load_method(str(folder)).mpp == 0.25


def test_a_guide_that_a_stranger_names_is_a_strangers(tmp_path, touched):
    guide = poisoned(tmp_path / "tiny", NAMES["a part"])
    network = {"class_path": "zoo.networks.NuClickNet", "init_args": {"width": 0.0625}}
    for kind in ("zoo.methods.RefineNet", "zoo.segmenters.refinenet.RefineNet"):
        outer = {"class_path": kind, "init_args": {"network": network, "guide": str(guide)}}
        save_folder(tmp_path / "outer", outer, {}, "")
        with pytest.raises(CheckpointError, match="not of zoo"):
            zoo.load(tmp_path / "outer")
    assert not touched.exists()


@pytest.mark.parametrize("file", ["config.yaml", "model.safetensors", "README.md", "LICENSE", "SHA256SUMS"])
@pytest.mark.parametrize("kind", ["pickle", "torch"])
def test_a_pickle_under_any_name(file, kind, tmp_path, touched):
    folder = nuclick_folder(tmp_path / "tiny")
    if kind == "torch":
        torch.save(Poison(touched), folder / file)
    else:
        (folder / file).write_bytes(pickle.dumps(Poison(touched)))
    with serving(contents(folder, "tiny/")) as server:
        for name in (str(folder), f"{server.address}/tiny"):
            if file in ("README.md", "LICENSE") or (file == "SHA256SUMS" and name == str(folder)):
                assert zoo.load(name).mpp == 0.25
                assert main(["info", name]) == 0
            else:
                with pytest.raises(CheckpointError):
                    zoo.load(name)
    assert not touched.exists()


def test_a_pickle_as_a_ckpt(tmp_path, touched):
    content = {"hyper_parameters": {"_class_path": "zoo.methods.NuClick"}, "state_dict": Poison(touched)}
    torch.save(content, tmp_path / "last.ckpt")
    for call in (zoo.load, load_method):
        with pytest.raises(CheckpointError, match="not a readable checkpoint"):
            call(str(tmp_path / "last.ckpt"))
    assert not touched.exists()


def test_a_yaml_that_would_make_an_object(tmp_path, touched):
    folder = nuclick_folder(tmp_path / "tiny")
    (folder / "config.yaml").write_text(f"class_path: !!python/object/apply:os.system ['touch {touched}']\n")
    with pytest.raises(CheckpointError, match=r"config\.yaml: not readable"):
        zoo.load(folder)
    assert not touched.exists()


def test_a_card_does_not_steer_the_terminal(tmp_path, capsys):
    folder = nuclick_folder(tmp_path / "tiny")
    (folder / "README.md").write_text("# Card\x1b]0;owned\x07\n")
    assert main(["info", str(folder)]) == 0
    assert "\x1b" not in capsys.readouterr().out

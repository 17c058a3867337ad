"""Packages of bioimage.io."""

import hashlib
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import yaml

from tests.helpers.checkpoints import unet_folder
from zoo.cli import main
from zoo.publishing.compared import run, session

pytest.importorskip("onnx")


def package(source: object, folder: Path) -> Path:
    given = ["--card", str(folder / "card.yaml"), "--licence-file", str(folder / "terms.txt")]
    (folder / "card.yaml").write_text("title: 'Tiny: a network, for tests'\nlicence: research only\nlimits: all\n")
    (folder / "terms.txt").write_text("Ask first.")
    assert main(["publish", str(source), "--to", str(folder / "out"), "--format", "bioimage", *given]) == 0
    return folder / "out" / "package.zip"


def test_a_package_holds_what_its_description_says(tmp_path):
    path = package(unet_folder(tmp_path / "tiny"), tmp_path)
    assert sorted(each.name for each in path.parent.iterdir()) == ["LICENSE", "README.md", "SHA256SUMS", "package.zip"]
    with ZipFile(path) as file:
        held = {name: file.read(name) for name in file.namelist()}
        tensors = {name.removesuffix(".npy"): np.load(file.open(name)) for name in held if name.endswith(".npy")}
    said = yaml.safe_load(held.pop("rdf.yaml"))
    named = list(files(said))
    assert {each["source"] for each in named} == set(held)
    for each in named:
        assert hashlib.sha256(held[each["source"]]).hexdigest() == each["sha256"]
    assert said["name"] == "Tiny a network for tests"
    assert said["license"]["source"] == "LICENSE"
    assert [each["id"] for each in said["inputs"]] == ["image", "clicks", "previous"]
    assert said["inputs"][0]["axes"][2] == {
        "type": "space", "id": "y", "size": {"min": 32, "step": 1}, "unit": "micrometer", "scale": 0.25,
    }  # fmt: skip
    expected = tensors.pop("probability")
    assert np.abs(run(session(held["model.onnx"]), tensors)["probability"] - expected).max() < 1e-6


def files(value: object) -> list[dict[str, str]]:
    """All files that a description names."""
    if isinstance(value, dict):
        own = [value] if "source" in value else []
        return own + [each for inner in value.values() for each in files(inner)]
    return [each for inner in value for each in files(inner)] if isinstance(value, list) else []


@pytest.mark.slow
@pytest.mark.parametrize("source", ["tiny", "nuclei", "ritm-glands-glas", "deepscribble-refine-glas"])
def test_bioimageio_runs_it(source, tmp_path):
    core = pytest.importorskip("bioimageio.core", reason="pip install 'isegzoo[bioimage]'")
    path = package(unet_folder(tmp_path / "tiny") if source == "tiny" else source, tmp_path)
    summary = core.test_description(path)
    assert summary.status == "passed", summary.format()

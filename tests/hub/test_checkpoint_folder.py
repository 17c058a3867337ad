import shutil
from pathlib import Path

import pytest
import torch
import yaml

import zoo
from tests.helpers.checkpoints import CONFIG, nuclick_folder, state, watershed_folder
from zoo.errors import CheckpointError
from zoo.hub.folder import read_config, read_weights, save_folder
from zoo.hub.load import load_method, load_weights
from zoo.methods import NuClick, Watershed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return nuclick_folder(tmp_path / "tiny")


def test_what_was_saved_is_loaded(folder):
    method = load_method(str(folder))
    assert isinstance(method, NuClick)
    assert not any(part.training for part in method.modules())
    assert method.mpp == 0.25
    assert method.zoom.window == 32
    for name, value in method.state_dict().items():
        expected = state()[name]
        torch.testing.assert_close(value, expected.half().to(value.dtype) if expected.ndim > 1 else expected)
        assert value.dtype == expected.dtype


def test_half_precision_only_where_it_is_safe(folder, tmp_path):
    save_folder(tmp_path / "full", CONFIG, state(), "# tiny\n", bits=32)
    sizes = [(f / "model.safetensors").stat().st_size for f in (folder, tmp_path / "full")]
    assert sizes[0] < 0.56 * sizes[1]
    assert all(torch.equal(v, state()[k]) for k, v in read_weights(tmp_path / "full").items())
    wide = {**state(), "network.conv1.0.1.running_var": torch.full_like(state()["network.conv1.0.1.running_var"], 1e6)}
    save_folder(tmp_path / "wide", CONFIG, wide, "# tiny\n")
    assert read_weights(tmp_path / "wide")["network.conv1.0.1.running_var"].max() == 1e6


def test_weights_in_8_bits_are_within_half_a_step_of_their_filter(folder, tmp_path):
    name = "network.out.weight"
    weights = {**state(), name: state()[name] * 1000}
    weights["network.conv1.0.0.weight"][0] = 0
    save_folder(tmp_path / "small", CONFIG, weights, "# tiny\n", bits=8)
    sizes = [(f / "model.safetensors").stat().st_size for f in (folder, tmp_path / "small")]
    assert sizes[1] < 0.65 * sizes[0]
    read = read_weights(tmp_path / "small")
    assert read.keys() == weights.keys()
    for name, value in weights.items():
        if value.ndim < 2:
            assert torch.equal(read[name], value)
            continue
        for filtered, expected in zip(read[name], value, strict=True):
            half_a_step = float(expected.abs().max()) / 127 / 2
            assert float((filtered - expected).abs().max()) <= half_a_step * 1.001
    assert bool((read["network.conv1.0.0.weight"][0] == 0).all())
    load_method(str(tmp_path / "small"))


@pytest.mark.parametrize(("value", "hint"), [(1e6, "--bits 32"), (float("nan"), "diverged")])
def test_weights_that_do_not_survive_are_an_error(tmp_path, value, hint):
    broken = {**state(), "network.out.weight": torch.full_like(state()["network.out.weight"], value)}
    with pytest.raises(CheckpointError, match=hint):
        save_folder(tmp_path / "x", CONFIG, broken, "")
    assert not (tmp_path / "x").exists()


def test_saving_again_replaces_and_leaves_nothing_else(folder):
    save_folder(folder, CONFIG, state(), "# other\n")
    assert (folder / "README.md").read_text() == "# other\n"
    assert sorted(p.name for p in folder.iterdir()) == ["README.md", "config.yaml", "model.safetensors"]


@pytest.mark.parametrize("name", ["config.yaml", "model.safetensors"])
def test_an_incomplete_folder_names_the_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        zoo.load(str(folder))


def test_damaged_weights(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"model\.safetensors.*damaged"):
        zoo.load(str(folder))


def test_weights_are_never_unpickled(folder):
    torch.save(state(), folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="damaged"):
        zoo.load(str(folder))


@pytest.mark.parametrize("text", ["", "[1, 2]", "init_args: {}", "a: [", "\x00"])
def test_a_config_without_class(folder, text):
    (folder / "config.yaml").write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.yaml"):
        read_config(folder)


def rewrite(folder: Path, **arguments: object) -> None:
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["init_args"] |= arguments
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def test_another_architecture(folder):
    rewrite(folder, network={"class_path": "zoo.networks.NuClickNet", "init_args": {"width": 0.125}})
    with pytest.raises(CheckpointError, match="do not fit NuClick"):
        zoo.load(str(folder))
    with pytest.raises(CheckpointError, match="do not fit Watershed"):
        load_weights(Watershed(), str(folder))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"unknown": 3}, "unknown"),
        ({"network": {"class_path": "zoo.networks.NoSuchNet"}}, "NoSuchNet"),
        ({"turns": [0.4]}, "add up to 1"),
    ],
)
def test_what_can_not_be_built(folder, arguments, said):
    rewrite(folder, **arguments)
    with pytest.raises(CheckpointError, match=said):
        zoo.load(str(folder))


def test_a_class_that_is_not_a_method(folder):
    (folder / "config.yaml").write_text("class_path: pathlib.Path\n")
    with pytest.raises(CheckpointError, match="Path"):
        zoo.load(str(folder))
    (folder / "config.yaml").write_text("class_path: lightning.pytorch.demos.boring_classes.BoringModel\n")
    (folder / "model.safetensors").unlink()
    from lightning.pytorch.demos.boring_classes import BoringModel

    config = {"class_path": "lightning.pytorch.demos.boring_classes.BoringModel"}
    save_folder(folder, config, BoringModel().state_dict(), "")
    with pytest.raises(CheckpointError, match="not interactive"):
        zoo.load(str(folder))


def test_unknown_name(tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint or folder 'nuclick-nucleii'"):
        zoo.load("nuclick-nucleii")


def test_a_session_of_a_folder(folder, tmp_path):
    session = zoo.load(str(folder))
    assert session.mpp == 0.25
    image = torch.rand(1, 3, 40, 40)
    session.set_image(image, mpp=0.25)
    session.add(zoo.Click(20.5, 20.5))
    assert session.probability.any()
    classical = zoo.load(str(watershed_folder(tmp_path / "watershed")))
    classical.set_image(image)
    classical.add(zoo.Click(20.5, 20.5))
    assert classical.mask.any()


def test_a_copied_folder_is_the_same(folder, tmp_path):
    shutil.move(folder, tmp_path / "moved")
    assert set(read_weights(tmp_path / "moved")) == set(state())

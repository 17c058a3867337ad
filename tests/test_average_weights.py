"""The mean of weights that began alike."""

import pytest
import torch
import yaml

from tests.helpers.scripts import script
from zoo.errors import CheckpointError, ConfigError
from zoo.hub.folder import build, read_weights, save_folder
from zoo.hub.load import load_weights

average_weights = script("average_weights")


def config(channels: int, mpp: float | None = None) -> dict:
    network = {"class_path": "zoo.networks.Unet", "init_args": {"in_channels": channels}}
    if channels == 5:
        return {"class_path": "zoo.methods.NuClick", "init_args": {"network": network, "mpp": mpp}}
    return {"class_path": "zoo.methods.RITM", "init_args": {"network": network}}


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two checkpoints of five channels at different resolutions, and an experiment of six channels."""
    folder = tmp_path_factory.mktemp("two")
    for k, mpp in enumerate([0.25, 0.5]):
        torch.manual_seed(k)
        save_folder(folder / f"of-{k}", config(5, mpp), build(config(5, mpp)).state_dict(), "", bits=32)
    model = config(6)
    model["init_args"]["weights"] = "of its own"
    (folder / "wider.yaml").write_text(yaml.safe_dump({"model": model}))
    return folder


def run(folder, *weights, out="mean"):
    average_weights.main([*weights, "--experiment", str(folder / "wider.yaml"), "--out", str(folder / out)])
    return folder / out


def test_mean_is_weighted_and_wider(two):
    found = read_weights(run(two, f"{two / 'of-0'}=0.25", f"{two / 'of-1'}=0.75"))
    first, second = (read_weights(two / f"of-{k}") for k in (0, 1))
    assert found.keys() == first.keys()
    stem = "network.unet.encoder.model.conv_stem.weight"
    for name in found.keys() - {stem}:
        wanted = 0.25 * first[name] + 0.75 * second[name] if first[name].is_floating_point() else second[name]
        if found[name].shape == wanted.shape:
            assert torch.allclose(found[name], wanted, atol=1e-6), name
    assert torch.allclose(found[stem][:, :5], 0.25 * first[stem] + 0.75 * second[stem], atol=1e-6)
    assert not found[stem][:, 5:].any()


def test_a_method_begins_with_it_at_its_own_resolution(two):
    method = build(config(6))
    load_weights(method, str(run(two, f"{two / 'of-0'}=0.5", f"{two / 'of-1'}=0.5")))
    assert method.mpp is None


@pytest.mark.parametrize(
    ("weights", "error", "said"),
    [
        (["nuclei=0.5", "nuclick-glands=0.4"], ConfigError, "add up to 0.9"),
        (["nuclei=half"], ConfigError, "nuclei=half: give a checkpoint and its share"),
        (["nuclei"], ConfigError, "nuclei: give a checkpoint"),
        (["nothing-of-that-name=1"], CheckpointError, "nothing-of-that-name"),
        (["ritm-glands-glas=1"], CheckpointError, "do not fit"),
    ],
)
def test_what_has_no_mean_is_a_named_error(weights, error, said, two):
    with pytest.raises(error, match=said):
        run(two, *weights, out="none")
    assert not (two / "none").exists()

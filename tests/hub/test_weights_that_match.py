"""Weights of another encoder, network, resolution or previous mask are refused; a mismatch names both."""

import pytest
import torch

from tests.helpers.checkpoints import CONFIG, nuclick_folder
from tests.helpers.tiny import tiny_experiment
from zoo.cli import main
from zoo.encoders import Disks, InclusionExclusion, TruncatedDistance
from zoo.errors import CheckpointError
from zoo.hub.folder import build, save_folder
from zoo.hub.load import load_method, load_weights
from zoo.methods import IFCN, RITM, NuClick
from zoo.networks import NuClickNet


@pytest.fixture
def folder(tmp_path):
    return nuclick_folder(tmp_path / "weights")


def tiny(kind=NuClick, third_block="torch", blocks=0, **arguments):
    return kind(NuClickNet(width=0.0625, multi_scale_blocks=blocks, third_block=third_block), **arguments)


def test_the_same_loads_and_draws_no_random_number(folder):
    method = tiny(mpp=0.25, encoder=InclusionExclusion())
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    load_weights(method, str(folder))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (lambda: tiny(encoder=Disks()), ["encoder", "InclusionExclusion", "Disks(", "weights_override"]),
        (lambda: tiny(mpp=0.5), ["resolution", "0.25 um/px", "0.5 um/px"]),
        (lambda: tiny(IFCN, encoder=TruncatedDistance(20)), ["InclusionExclusion", "TruncatedDistance(", "limit=20"]),
    ],
)
def test_another_encoder_or_resolution(folder, method, words):
    with pytest.raises(CheckpointError) as error:
        load_weights(method(), str(folder))
    for word in [str(folder), *words]:
        assert word in str(error.value)
    load_weights(method(), str(folder), override=True)


def test_an_argument_of_the_encoder_tells(tmp_path):
    config = {"class_path": "zoo.methods.IFCN", "init_args": {"network": CONFIG["init_args"]["network"]}}
    save_folder(tmp_path, config, build(config).state_dict(), "")
    load_weights(tiny(IFCN, encoder=TruncatedDistance(255, 255)), str(tmp_path))
    with pytest.raises(CheckpointError, match=r"limit=255.0, unit=255.0.*limit=100.0, unit=255.0"):
        load_weights(tiny(IFCN, encoder=TruncatedDistance(100, 255)), str(tmp_path))


def test_another_previous_mask(tmp_path):
    network = {"class_path": "zoo.networks.NuClickNet", "init_args": {"width": 0.0625, "in_channels": 6}}
    config = {"class_path": "zoo.methods.RITM", "init_args": {"network": network}}
    method = build(config)
    save_folder(tmp_path, config, method.state_dict(), "")

    class Forgetful(RITM):
        """A method that is given an empty previous mask in every turn."""

        def carry(self, probability, previous):
            return previous

    same = NuClickNet(width=0.0625, in_channels=6)
    load_weights(RITM(same), str(tmp_path))
    with pytest.raises(CheckpointError, match="previous mask of RITM, but here it is that of Forgetful"):
        load_weights(Forgetful(same), str(tmp_path))


def test_other_dilations_in_kernels_of_the_same_size(tmp_path):
    network = {"class_path": "zoo.networks.NuClickNet", "init_args": {"width": 0.0625}}
    config = {"class_path": "zoo.methods.NuClick", "init_args": {"network": network}}
    save_folder(tmp_path, config, build(config).state_dict(), "")
    load_weights(tiny(blocks=3), str(tmp_path))
    with pytest.raises(CheckpointError, match=r"network.*dilation=\(2, 2\).*dilation=\(3, 3\).* at up8"):
        load_weights(tiny(blocks=3, third_block="keras"), str(tmp_path))


def test_weights_that_do_not_fit_are_told_in_a_line(folder):
    with pytest.raises(CheckpointError) as error:
        load_weights(NuClick(NuClickNet(width=0.125, multi_scale_blocks=0)), str(folder))
    message = str(error.value)
    assert "\n" not in message
    assert message.count("network.") == 3
    assert "network.conv1.0.0.weight is 4x5x7x7, not 8x5x7x7" in message
    count = len(tiny().state_dict())
    assert f"more, of {count}; name the method" in message


def test_a_class_that_is_not_installed_is_named(tmp_path, monkeypatch):
    config = {**CONFIG, "init_args": {**CONFIG["init_args"], "encoder": {"class_path": "nowhere.encoders.Rings"}}}
    save_folder(tmp_path, config, {}, "")
    with pytest.raises(CheckpointError) as error:
        load_weights(tiny(), str(tmp_path), override=True)
    assert "weights do not fit" in str(error.value)
    with pytest.raises(CheckpointError) as error:
        build(config, tmp_path / "model.safetensors")
    assert str(error.value).startswith(
        f"{tmp_path / 'model.safetensors'}: needs nowhere.encoders.Rings, which can't be"
    )
    assert "\n" not in str(error.value)


def test_a_method_that_says_no_resolution_works_at_that_of_its_weights(folder, tmp_path):
    assert tiny(weights=str(folder)).engine().mpp == 0.25
    assert tiny(weights=str(folder), mpp=0.5, weights_override=True).mpp == 0.5
    assert tiny().mpp is None
    # Its own training's weights say so, too.
    untold = ["--model.init_args.mpp=null", f"--model.init_args.weights={folder}", "--trainer.max_steps=1"]
    assert main(["fit", "-c", str(tiny_experiment(tmp_path)), *untold]) == 0
    assert load_method(str(tmp_path / "last.ckpt")).mpp == 0.25
    continued = tiny()
    continued.on_load_checkpoint(torch.load(tmp_path / "last.ckpt", weights_only=True))
    assert continued.engine().mpp == 0.25

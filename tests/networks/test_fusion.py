"""Where guidance enters a backbone."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu

from zoo.errors import ConfigError
from zoo.networks import DeepLabV3Plus, FCN8s, HRNetOCR, imagenet
from zoo.networks.fusion import FirstLayerFusion, MapsFusion, StemFusion

LITE, SMALL = "tf_efficientnet_lite0", "test_efficientnet"


def given(channels: int = 6, batch: int = 1, side: int = 64) -> Tensor:
    return torch.rand(batch, channels, side, side, generator=torch.Generator().manual_seed(3))


def normalised(name: str, rgb: Tensor) -> Tensor:
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in imagenet.normalisation(name))
    return (rgb - mean) / std


def efficientnet(model: nn.Module, x: Tensor, added: Tensor) -> Tensor:
    x = model.bn1(model.conv_stem(x)) + added
    for block in model.blocks:
        x = block(x)
    return x


def resnet(model: nn.Module, x: Tensor, added: Tensor) -> Tensor:
    x = model.maxpool(model.act1(model.bn1(model.conv1(x))) + added)
    return model.layer4(model.layer3(model.layer2(model.layer1(x))))


def hrnet(model: nn.Module, x: Tensor, added: Tensor) -> Tensor:
    x = model.act1(model.bn1(model.conv1(x))) + added
    x = model.act2(model.bn2(model.conv2(x)))
    return model.incre_modules[-1](model.stages(x)[-1])


@torch.no_grad()
@pytest.mark.parametrize(("name", "run"), [(LITE, efficientnet), ("resnet34", resnet), ("hrnet_w18_small", hrnet)])
@pytest.mark.parametrize("options", [{}, {"scale": 1.0}], ids=["published", "begins at 1"])
def test_the_rest_is_added_after_the_stem(name, run, options):
    torch.manual_seed(0)
    net = StemFusion(name, 6, **options).eval()
    x = given()
    first, _, second = net.maps
    hidden = leaky_relu(conv2d(x[:, 3:], first.weight, first.bias), 0.2)
    added = options.get("scale", 0.05) * conv2d(hidden, second.weight, second.bias, stride=2, padding=1)
    assert (first.out_channels, second.kernel_size) == (16, (3, 3))
    plain = run(net.encoder.model, normalised(name, x[:, :3]), torch.zeros_like(added))
    expected = run(net.encoder.model, normalised(name, x[:, :3]), added)
    torch.testing.assert_close(net(x)[-1], expected)
    assert not torch.allclose(expected, plain, rtol=1e-4)
    net.scale.zero_()
    torch.testing.assert_close(net(x)[-1], plain)


@torch.no_grad()
@pytest.mark.parametrize("name", ["convnext_atto", "vgg11_bn", "regnetx_002", "resnet18d"])
def test_other_stems(name):
    net = StemFusion(name, 4).eval()
    shapes = [each.shape for each in net(torch.rand(1, 4, 64, 64))]
    plain = [each.shape for each in net.encoder(torch.rand(1, 3, 64, 64))]
    assert shapes == plain
    assert net.maps[-1].out_channels in (32, 40, 64)


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "tresnet_m"])
def test_no_stem(name):
    with pytest.raises(ConfigError, match=f"no stem is found in {name}.*such as tf_efficient"):
        StemFusion(name, 6)


@torch.no_grad()
def test_copies_and_threads_add_their_own():
    net = StemFusion(SMALL, 5).eval()
    inputs = [given(5, 1) * k for k in range(1, 5)]
    expected = [net(x)[-1] for x in inputs]
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        torch.testing.assert_close(other(inputs[0])[-1], expected[0])
        other.scale.zero_()
        assert not torch.equal(other(inputs[0])[-1], expected[0])
    with ThreadPoolExecutor(4) as threads:
        for found, wanted in zip(threads.map(net, inputs), expected, strict=True):
            torch.testing.assert_close(found[-1], wanted)
    # What was added once is not added to what follows.
    assert torch.equal(net.encoder(inputs[0][:, :3])[-1], net.encoder(inputs[0][:, :3])[-1])


@torch.no_grad()
def test_two_convolutions_make_three_channels():
    torch.manual_seed(0)
    net = MapsFusion(SMALL, 5).eval()
    x = given(5)
    first, _, norm, second = net.maps
    norm.running_mean.copy_(torch.rand(8))
    norm.running_var.copy_(torch.rand(8) + 0.5)
    whole = torch.cat([normalised(SMALL, x[:, :3]), x[:, 3:]], 1)
    hidden = torch.einsum("oi,bihw->bohw", first.weight[..., 0, 0], whole) + first.bias.view(-1, 1, 1)
    hidden = torch.where(hidden > 0, hidden, 0.2 * hidden)
    hidden = (hidden - norm.running_mean.view(-1, 1, 1)) / (norm.running_var + norm.eps).sqrt().view(-1, 1, 1)
    three = torch.einsum("oi,bihw->bohw", second.weight[..., 0, 0], hidden) + second.bias.view(-1, 1, 1)
    assert (first.out_channels, second.out_channels) == (8, 3)
    torch.testing.assert_close(net(x)[-1], net.encoder(three)[-1], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_the_first_layer_takes_all():
    net = FirstLayerFusion(SMALL, 5).eval()
    x = given(5)
    assert net.encoder.model.conv_stem.in_channels == 5
    whole = torch.cat([normalised(SMALL, x[:, :3]), x[:, 3:]], 1)
    torch.testing.assert_close(net(x)[-1], efficientnet(net.encoder.model, whole, torch.zeros(())))


@torch.no_grad()
@pytest.mark.parametrize("fusion", ["first_layer", "maps", "stem"])
def test_begins_with_imagenet(monkeypatch, fusion):
    torch.manual_seed(4)
    hub = {key: torch.rand_like(value.float()) for key, value in imagenet.timm.create_model(SMALL).state_dict().items()}
    asked = []
    monkeypatch.setattr(imagenet, "imagenet_state", lambda name: asked.append(name) or hub)
    for net in (DeepLabV3Plus(5, SMALL, fusion, 8), FCN8s(5, SMALL, fusion, 8)):
        net.load_imagenet()
        for key, value in net.backbone.encoder.model.state_dict().items():
            wider = fusion == "first_layer" and key == "conv_stem.weight"
            assert torch.equal((value[:, :3] if wider else value).float(), hub[key].to(value.dtype).float())
            assert not wider or not value[:, 3:].any()
    assert asked == [SMALL, SMALL]


@torch.no_grad()
def test_hrnet_begins_with_imagenet(monkeypatch):
    name = "hrnet_w18_small"
    hub = imagenet.timm.create_model(name).state_dict()
    monkeypatch.setattr(imagenet, "imagenet_state", lambda name: hub)
    net = HRNetOCR(6, name, "stem", 8)
    net.load_imagenet()
    state = net.backbone.encoder.model.state_dict()
    assert all(torch.equal(value, hub[key]) for key, value in state.items())
    assert not any("incre" in key for key in state)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DeepLabV3Plus(3, SMALL, "stem"), "beyond RGB, but in_channels is 3; set it to 4 or more"),
        (lambda: FCN8s(2, SMALL), "in_channels is 2; it has to be 3 or more"),
        (lambda: DeepLabV3Plus(5, "nothing_at_all"), "no model 'nothing_at_all'"),
        (lambda: DeepLabV3Plus(5, "hrnet_w18_small"), "can't build hrnet_w18_small .* output stride 16"),
        (lambda: HRNetOCR(5, "resnet18"), "can't build resnet18 .*feature_location.*another backbone"),
    ],
)
def test_what_can_not_be_built(make, message):
    with torch.device("meta"), pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize("network", [DeepLabV3Plus, HRNetOCR])
def test_networks_pass_the_scale_of_the_stem_on(network):
    backbone = "hrnet_w18_small" if network is HRNetOCR else "test_efficientnet"
    assert network(6, backbone, "stem", 16, stem_scale=1.0).backbone.scale.item() == 1
    assert network(5, backbone, "maps", 16, stem_scale=1.0).backbone.maps is not None

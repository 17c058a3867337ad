"""What every network that can be stopped keeps to."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from zoo.errors import ConfigError
from zoo.methods.channels import WRONG_CHANNELS
from zoo.networks import DeepLabV3Plus, FCN8s, HRNetOCR, LateUnet, TwoBranchUCTransNet, TwoBranchUnet, UCTransNet, Unet
from zoo.networks.staged import StagedNetwork

MAKE: dict[str, Callable[[], StagedNetwork]] = {
    "f-BRS base": lambda: DeepLabV3Plus(5, "test_efficientnet", "maps", 16),
    "f-BRS base as published": lambda: DeepLabV3Plus(5, "resnet34", "maps"),
    "RITM": lambda: DeepLabV3Plus(6, "test_resnet", "stem", 16, 8),
    "iFCN": lambda: FCN8s(5, "test_efficientnet", decoder_channels=16),
    "HRNet": lambda: HRNetOCR(6, "hrnet_w18_small", "stem", 16),
    "U-Net": lambda: Unet(4, "test_efficientnet", (16, 8, 8, 4, 4)),
    "late U-Net": lambda: LateUnet(5, "test_efficientnet", (8, 8, 16, 16, 16)),
    "ZoomISEG L2": lambda: TwoBranchUnet(width=4),
    "ZoomISEG L1": lambda: TwoBranchUCTransNet(width=4, layers=1, side=64, backbone="test_efficientnet"),
    "UCTransNet": lambda: UCTransNet(4, width=4, layers=1, side=64),
}
IN_CHANNELS = {
    "f-BRS base": 5,
    "f-BRS base as published": 5,
    "RITM": 6,
    "iFCN": 5,
    "HRNet": 6,
    "U-Net": 4,
    "late U-Net": 5,
    "ZoomISEG L2": 6,
    "ZoomISEG L1": 6,
    "UCTransNet": 4,
}


@pytest.fixture(scope="module", params=MAKE)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def given(name: str, batch: int = 2, height: int = 64, width: int = 96) -> torch.Tensor:
    return torch.rand(batch, IN_CHANNELS[name], height, width, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def net(name: str) -> StagedNetwork:
    """In evaluation mode, with statistics of a batch, without which HRNet's features grow without end."""
    torch.manual_seed(0)
    net = MAKE[name]()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        net.train()(given(name))
    return net.eval()


@torch.no_grad()
def test_logits_have_the_images_size_and_vary(name, net):
    logits = net(given(name))
    assert logits.shape == (2, 1, 64, 96)
    assert logits.dtype == torch.float32
    assert 1e-3 < logits.std() < 1e3


def test_stops_and_goes_on_at_every_point(name, net):
    x = given(name).requires_grad_()
    whole = net(x)
    for point, channels in net.channels.items():
        reached = net.until(x, point)
        assert reached.value.shape[:2] == (2, channels)
        assert reached.size == (64, 96)
        kept = reached.value.detach().clone()
        assert torch.equal(net.after(reached, point), whole)
        # A refiner runs the rest many times on the same features.
        assert torch.equal(reached.value, kept)
        gradient = torch.autograd.grad(net.after(reached, point).mean(), [reached.value, x])
        assert all(part.abs().sum(dim=(1, 2, 3)).gt(0).all() for part in gradient)


@torch.no_grad()
def test_what_is_changed_at_a_point_reaches_the_logits(name, net):
    x = given(name)
    for point in net.channels:
        reached = net.until(x, point)
        changed = type(reached)(reached.value * 1.5, reached.rest, reached.size)
        assert not torch.allclose(net.after(changed, point), net(x), atol=1e-5)


@torch.no_grad()
def test_samples_do_not_know_each_other(name, net):
    x = given(name)
    logits = net(x)
    torch.testing.assert_close(net(x[1:]), logits[1:], atol=1e-4, rtol=1e-4)
    for point in net.channels:
        one = net.until(x, point).select(torch.tensor([1]))
        torch.testing.assert_close(net.after(one, point), logits[1:], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_channels_last(name, net):
    x = given(name)
    turned = net(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(turned, net(x), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_weights_go_from_one_to_another(name, net):
    other = MAKE[name]().eval()
    state = net.state_dict()
    assert not any("mean" in key and "running" not in key for key in state)
    other.load_state_dict(state, strict=True)
    assert torch.equal(other(given(name)), net(given(name)))


def test_every_weight_learns(name):
    # Distributed training fails on weights that never get a gradient.
    net = MAKE[name]().train()
    net(given(name)).square().mean().backward()
    assert [key for key, value in net.named_parameters() if value.grad is None] == []


@torch.no_grad()
def test_wrong_number_of_channels(name, net):
    with pytest.raises(ConfigError) as caught:
        net(torch.rand(1, IN_CHANNELS[name] + 1, 64, 64))
    found = WRONG_CHANNELS.search(str(caught.value))
    assert found is not None
    assert found.groups() == (str(IN_CHANNELS[name]), str(IN_CHANNELS[name] + 1))


@torch.no_grad()
@pytest.mark.parametrize("name", ["f-BRS base", "RITM", "iFCN"])
def test_any_size(name):
    assert MAKE[name]().eval()(given(name, 1, 75, 93)).shape == (1, 1, 75, 93)


@torch.no_grad()
def test_late_fusion_looks_at_the_image_alone():
    torch.manual_seed(0)
    net = LateUnet(5, "test_efficientnet", (8, 8, 16, 16, 16)).eval()
    image, said = torch.rand(2, 3, 64, 96), torch.rand(2, 2, 64, 96)
    looked = net.look(image)
    for channels in (said, 1 - said):
        assert torch.equal(net.answer(looked, channels), net(torch.cat([image, channels], 1)))
    assert not torch.equal(net.answer(looked, said), net.answer(looked, 1 - said))


def test_a_late_click_is_heard_across_the_crop():
    torch.manual_seed(0)
    net = LateUnet(4, "test_efficientnet", (8, 8, 16, 16, 16)).eval()
    said = torch.zeros(1, 1, 192, 192, requires_grad=True)
    net(torch.cat([torch.rand(1, 3, 192, 192), said], 1))[0, 0, 5, 5].backward()
    assert said.grad is not None
    assert said.grad[0, 0, 150, 150] != 0

import pytest
import torch
from torch import nn

from zoo.errors import ConfigError
from zoo.networks import NuClickNet
from zoo.networks.nuclick import MultiScaleBlock


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_default_has_the_published_parameter_count() -> None:
    with torch.device("meta"):
        assert parameters(NuClickNet()) == 66_800_321


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4])
def test_number_of_multi_scale_blocks(number: int) -> None:
    torch.manual_seed(0)
    net = NuClickNet(width=1 / 16, multi_scale_blocks=number).eval()
    assert sum(isinstance(m, MultiScaleBlock) for m in net.modules()) == number
    assert net(torch.rand(1, 5, 32, 64)).shape == (1, 1, 32, 64)


def test_width_scales_every_layer() -> None:
    with torch.device("meta"):
        full, compact = NuClickNet(), NuClickNet(width=0.25)
    pairs = zip(full.named_modules(), compact.named_modules(), strict=True)
    norms = [(a.num_features, b.num_features) for (_, a), (_, b) in pairs if isinstance(a, nn.BatchNorm2d)]
    assert norms
    assert all(a == 4 * b for a, b in norms)
    # 8.4 MB at half precision, what the shipped compact weights may take
    assert 2 * parameters(compact) < 9e6


@pytest.mark.parametrize(("variant", "dilations"), [("torch", [1, 3, 2, 6]), ("keras", [1, 3, 3, 6])])
def test_third_block_dilations(variant: str, dilations: list[int]) -> None:
    net = NuClickNet(width=1 / 16, third_block=variant)  # type: ignore[arg-type]
    block = net.up8.body[1]
    assert [branch[0].dilation[0] for branch in block.branches] == dilations
    assert [branch[0].kernel_size[0] for branch in block.branches] == [3, 3, 5, 7]


def test_every_input_pixel_and_every_parameter_takes_part() -> None:
    torch.manual_seed(0)
    net = NuClickNet(width=1 / 8)
    x = torch.rand(2, 5, 64, 64, requires_grad=True)
    net(x).square().sum().backward()
    assert x.grad is not None
    assert (x.grad != 0).all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_he_initialisation_keeps_the_scale() -> None:
    torch.manual_seed(0)
    net = NuClickNet(width=0.25)
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 5000:
            fan_in = module.weight[0].numel()
            assert module.weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.05)
        if isinstance(module, nn.ConvTranspose2d):
            assert module.weight.std().item() == pytest.approx((2 / module.in_channels) ** 0.5, rel=0.15)


def test_channels_last_and_bfloat16_autocast() -> None:
    torch.manual_seed(0)
    net = NuClickNet(width=1 / 8).eval()
    x = torch.rand(2, 5, 64, 64)
    expected = net(x)
    net = net.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = net(x.to(memory_format=torch.channels_last))
    assert out.dtype == torch.bfloat16
    assert (out.float() - expected).abs().max() < 0.05 * expected.abs().max()


@pytest.mark.parametrize("size", [(48, 64), (64, 100)])
def test_bad_size_is_a_named_error(size: tuple[int, int]) -> None:
    net = NuClickNet(width=1 / 16)
    with pytest.raises(ConfigError, match="divisible by 32"):
        net(torch.zeros(1, 5, *size))


@pytest.mark.parametrize("arguments", [{"width": 0.1}, {"width": 0.0}, {"multi_scale_blocks": 5}])
def test_bad_arguments_are_named_errors(arguments: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        NuClickNet(**arguments)  # type: ignore[arg-type]

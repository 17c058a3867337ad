"""UCTransNet, and ZoomISEG's networks: sizes, and which way leads where."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from zoo.errors import ConfigError
from zoo.networks import TwoBranchUCTransNet, TwoBranchUnet, UCTransNet
from zoo.networks.channel_transformer import ChannelAttention, ChannelTransformer
from zoo.networks.skip_network import SkipNetwork
from zoo.networks.skips import ChannelCrossAttention

PUBLISHED = 66_430_657
VALUES = torch.tensor([0.7, -0.2, 1.5, 0.0])[:, None, None]
MAKE: dict[str, Callable[[], SkipNetwork]] = {
    "UCTransNet": lambda: UCTransNet(6, width=4, layers=1, side=64),
    "L1": lambda: TwoBranchUCTransNet(width=4, layers=2, side=64),
    "L1 with a backbone": lambda: TwoBranchUCTransNet(width=4, layers=1, side=64, backbone="test_efficientnet"),
    "L2": lambda: TwoBranchUnet(width=4),
    "L2 with a backbone": lambda: TwoBranchUnet(width=4, depth=5, backbone="test_efficientnet"),
}
TWO_BRANCHES = [name for name in MAKE if name != "UCTransNet"]


def make(name: str) -> SkipNetwork:
    torch.manual_seed(0)
    return MAKE[name]()


def parameters(make: Callable[[], nn.Module]) -> int:
    with torch.device("meta"):
        return sum(value.numel() for value in make().parameters())


def test_parameters():
    assert parameters(UCTransNet) == PUBLISHED
    # A position has 64 + 128 + 256 + 512 numbers.
    assert parameters(lambda: UCTransNet(side=448)) == PUBLISHED + (28**2 - 14**2) * 960
    # Without the second skip keys and values are 832 wide, and nothing is left of its 128 channels.
    keys = 2 * 4 * 4 * (960**2 - 832**2)
    tokens = 128 * (128 * 8**2 + 1) + 14**2 * 128 + 2 * 128  # embedding, positions, last norm
    layer = 5 * 128**2 + (128 * 512 + 512) + (512 * 128 + 128) + 3 * 2 * 128  # attention, perceptron, norms
    rebuilt = 128 * 128 + 128 + 2 * 128
    decoder = 2 * (128**2 + 128) + 9 * 128 * 64
    branch = 9 * 3 * 64 + 64 + 2 * 64
    lacks = keys + tokens + 4 * layer + rebuilt + decoder - branch
    assert parameters(lambda: TwoBranchUCTransNet(side=224)) == PUBLISHED - lacks
    assert parameters(TwoBranchUnet) == unet_parameters()


def unet_parameters() -> int:
    """Two branches, Ronneberger's 64 to 1024 channels and back, 128 fewer to concatenate, and the last convolution."""

    def two(a: int, b: int) -> int:
        return 9 * a * b + 9 * b * b + 2 * 3 * b

    down = 2 * two(3, 64) + two(64, 128) + two(128, 256) + two(256, 512) + two(512, 1024)
    up = sum(4 * 2 * c * c + c for c in (512, 256, 128, 64))
    return down + up + two(1024, 512) + two(512, 256) + two(128, 128) + two(128, 64) + 65


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("size", [(64, 96), (48, 80), (37, 50)])
@torch.no_grad()
def test_any_size(name, size):
    net = make(name).eval()
    x = torch.rand(2, 6, *size)
    logits = net(x)
    assert logits.shape == (2, 1, *size)
    torch.testing.assert_close(logits[1:], net(x[1:]), atol=1e-4, rtol=1e-4)


def reaches(net: SkipNetwork, x: Tensor, level: int, channels: slice) -> bool:
    """Whether a skip depends on some channels of the input."""
    x = x.clone().requires_grad_()
    skip = net.encoder(x)[level]
    (gradient,) = torch.autograd.grad(skip.square().sum(), x)
    return bool(gradient[:, channels].any())


@pytest.mark.parametrize("name", TWO_BRANCHES)
def test_the_shallowest_skip_is_of_the_image_alone(name):
    net = make(name)
    x = torch.rand(2, 6, 64, 64)
    assert reaches(net, x, 0, slice(0, 3))
    assert not reaches(net, x, 0, slice(3, 6))
    for level in range(1, len(net.encoder.channels)):
        assert reaches(net, x, level, slice(0, 3))
        assert reaches(net, x, level, slice(3, 6))


@pytest.mark.parametrize("name", MAKE)
def test_the_second_skip_is_removed(name):
    """The logits depend on the second-shallowest features only through the deeper ones."""
    net = make(name).train()
    x = torch.rand(2, 6, 64, 64)
    with torch.no_grad():
        features = net.encoder(x)
    cut = [each.clone().requires_grad_() for each in features]
    net.encoder.forward = lambda _: cut
    gradients = torch.autograd.grad(net(x).square().sum(), cut, allow_unused=True)
    used = [gradient is not None and bool(gradient.any()) for gradient in gradients]
    assert used == [True, name == "UCTransNet", True, True, True]


@pytest.mark.parametrize("name", ["L1 with a backbone", "L2 with a backbone"])
def test_branches_are_added_after_the_stem(name):
    net = make(name).eval()
    stem = net.encoder.backbone.encoder.model.conv_stem
    assert stem.in_channels == 3
    x = torch.rand(2, 6, 64, 64)
    with torch.no_grad():
        first = net.encoder(x)[0]
        # Nothing is kept from one call to the next, nor from one branch to the other.
        assert torch.equal(first, net.encoder(torch.cat([x[:, :3], 1 - x[:, 3:]], 1))[0])
        assert not torch.equal(net(x), net(torch.cat([x[:, :3], 1 - x[:, 3:]], 1)))
    assert first.shape == (2, stem.out_channels, 32, 32)


def test_what_can_not_be_built():
    with pytest.raises(ConfigError, match="in_channels=3 leaves the branch of the guidance nothing"):
        TwoBranchUnet(3)
    with pytest.raises(ConfigError, match="TwoBranchUnet has no backbone; name one"):
        TwoBranchUnet(width=2).load_imagenet()
    with pytest.raises(ConfigError, match="the stem of test_convnext has stride 4"):
        TwoBranchUnet(width=2, backbone="test_convnext")


@torch.no_grad()
def test_channel_attention():
    torch.manual_seed(0)
    net = ChannelAttention([2, 3], heads=2).eval()
    tokens = [torch.rand(2, 7, 2), torch.rand(2, 7, 3)]
    every = torch.rand(2, 7, 5)
    found = net(tokens, every)
    for b in range(2):
        for i, width in enumerate((2, 3)):
            contexts = []
            for head in range(2):
                query, key, value = (
                    given @ linear.weight[head * n : (head + 1) * n].T
                    for given, linear, n in (
                        (tokens[i][b], net.query[i], width),
                        (every[b], net.key, 5),
                        (every[b], net.value, 5),
                    )
                )
                scores = query.T @ key / 5**0.5
                scores = (scores - scores.mean()) / (scores.var(correction=0) + 1e-5).sqrt()
                contexts.append(scores.softmax(1) @ value.T)
            expected = ((contexts[0] + contexts[1]) / 2).T @ net.out[i].weight.T
            torch.testing.assert_close(found[i][b], expected, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_channel_cross_attention():
    torch.manual_seed(0)
    net = ChannelCrossAttention(3, 2)
    skip, below = torch.randn(2, 3, 4, 4), torch.randn(2, 2, 4, 4)
    score = (net.of_skip(skip.mean((2, 3))) + net.of_below(below.mean((2, 3)))) / 2
    for b in range(2):
        for c in range(3):
            expected = relu(skip[b, c] * (1 / (1 + torch.exp(-score[b, c]))))
            torch.testing.assert_close(net(skip, below)[b, c], expected)


@torch.no_grad()
def test_positions_are_resampled():
    """Constant ones mean the same at every size; others differ."""
    torch.manual_seed(0)
    net = ChannelTransformer([4, 4], [8, 4], grid=4, heads=1, layers=1).eval()
    skips = [torch.rand(1, 4, 32, 32), torch.rand(1, 4, 16, 16)]
    plain = net(skips)
    for position in net.positions:
        position.copy_(VALUES.expand_as(position))
    moved = net(skips)
    assert not torch.allclose(plain[0], moved[0])
    larger = [interpolate(skip, scale_factor=2) for skip in skips]
    resampled = net(larger)
    for position in net.positions:
        position.data = VALUES.expand(1, 4, 8, 8)
    for one, other in zip(resampled, net(larger), strict=True):
        torch.testing.assert_close(one, other)

"""SegNet, and its parts against what the paper says of them."""

import pytest
import torch
from torch import nn

from zoo.errors import ConfigError
from zoo.networks import SegNet
from zoo.testing import NetworkContract


class TestContract(NetworkContract):
    def make(self) -> nn.Module:
        torch.manual_seed(0)
        return SegNet(width=0.125)


def test_the_published_network():
    convolutions = [m for m in SegNet(in_channels=3).modules() if isinstance(m, nn.Conv2d)]
    # VGG-16's, mirrored: the classifier stands in the place of the last, which would go back to 3 channels
    assert [c.out_channels for c in convolutions[:13]] == [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    assert [c.in_channels for c in convolutions[13:]] == [512] * 6 + [256] * 3 + [128] * 2 + [64] * 2
    assert convolutions[-1].out_channels == 1


def test_features_come_back_to_where_they_were_the_largest():
    network = SegNet(width=1 / 64).eval()
    x = torch.rand(1, 1, 8, 8)
    pooled, places = network.pool(x)
    back = network.unpool(pooled, places)
    assert torch.equal(back[back > 0].sort().values, pooled.flatten().sort().values)
    assert bool(((back == 0) | (back == x)).all())


@pytest.mark.parametrize("width", [0, 0.01, -1])
def test_a_width_without_whole_channels(width):
    with pytest.raises(ConfigError, match="width"):
        SegNet(width=width)


def test_a_size_that_can_not_be_halved_five_times():
    with pytest.raises(ConfigError, match="48x64"):
        SegNet(width=0.125)(torch.rand(1, 5, 48, 64))

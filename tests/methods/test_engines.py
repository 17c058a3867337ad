from functools import cache

import torch
from torch import nn

from zoo.inference.engine import Engine
from zoo.inference.zoom import InteractionWindow, WholeImage, Zoom
from zoo.methods import NuClick, RegionGrowing, Watershed
from zoo.methods.nuclick import PostProcess
from zoo.networks import NuClickNet
from zoo.testing.engines import EngineContract, images


@cache
def network() -> nn.Module:
    """Untrained, with the batch statistics of such images and small logits, so that probabilities are not 0 or 1."""
    torch.manual_seed(0)
    net = NuClickNet(width=1 / 16, multi_scale_blocks=0)
    maps = (torch.rand(3, 2, 32, 32) < 0.01).float()
    crops = torch.cat([images()[..., :32, :32], maps], 1)
    with torch.no_grad():
        for _ in range(10):
            net.train()(crops)
        net.out.weight *= 3 / net.eval()(crops).abs().max()
    return net


def nuclick(zoom: Zoom) -> Engine:
    return NuClick(network=network(), zoom=zoom, postprocess=PostProcess(min_object=5)).engine()


class TestNuClickWindows(EngineContract):
    def make(self) -> Engine:
        return nuclick(InteractionWindow(32))


class TestNuClickWholeImages(EngineContract):
    def make(self) -> Engine:
        return nuclick(WholeImage())


class TestWatershed(EngineContract):
    def make(self) -> Engine:
        return Watershed()


class TestRegionGrowing(EngineContract):
    def make(self) -> Engine:
        return RegionGrowing()

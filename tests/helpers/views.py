"""A staged network of a few layers, a method with it, and views of it."""

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, silu

from zoo.encoders.distance import TanhDistance
from zoo.inference.view import FlippedView, View
from zoo.inference.zoom import Zoom
from zoo.interactions import Interactions
from zoo.losses import BinaryCrossEntropy
from zoo.methods.base import InteractiveMethod
from zoo.networks.staged import Features, StagedNetwork
from zoo.ops.frame import Frame
from zoo.refiners import Refiner
from zoo.users import NextClick

SIDE = 32


class TinyNetwork(StagedNetwork):
    """Smooth, so that differences give its gradients, and with features of 1/4 of the size."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(5, 6, 3, stride=2, padding=1)
        self.deep = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.context = nn.Conv2d(8, 4, 3, padding=1)
        self.decoder = nn.Conv2d(10, 6, 3, padding=1)
        self.last = nn.Conv2d(6, 1, 1)
        self.channels = {"backbone": 8, "aspp": 10, "decoder": 6}

    def until(self, x: Tensor, point: str) -> Features:
        low = silu(self.stem(x))
        features = Features(silu(self.deep(low)), (low[..., ::2, ::2],), (x.shape[-2], x.shape[-1]))
        for step, reached in ((self._context, "backbone"), (self._decode, "aspp")):
            if point == reached:
                return features
            features = step(features)
        return features

    def _context(self, features: Features) -> Features:
        value = torch.cat([silu(self.context(features.value)), features.rest[0]], 1)
        return Features(value, (), features.size, features.views)

    def _decode(self, features: Features) -> Features:
        return Features(silu(self.decoder(features.value)), (), features.size, features.views)

    def after(self, features: Features, point: str) -> Tensor:
        if point == "backbone":
            features = self._context(features)
        if point != "decoder":
            features = self._decode(features)
        return interpolate(self.last(features.value), size=features.size)


@cache
def network(dtype: torch.dtype = torch.float32) -> TinyNetwork:
    """Untrained, with logits that lie on both sides of 0."""
    torch.manual_seed(0)
    net = TinyNetwork().eval()
    x = torch.rand(4, 5, SIDE, SIDE)
    with torch.no_grad():
        for layer in (net.stem, net.deep, net.context, net.decoder):
            layer.weight *= 2.5
        net.last.weight *= 1.5 / net(x).std()
        net.last.bias -= net(x).mean()
    return net.to(dtype)


def method(
    refiner: Refiner | None = None, zoom: Zoom | None = None, flip: bool = False, dtype: torch.dtype = torch.float32
) -> InteractiveMethod:
    return InteractiveMethod(
        network(dtype), TanhDistance(20), BinaryCrossEntropy(), NextClick(), zoom=zoom, refiner=refiner, flip=flip
    ).eval()


def clicks(rows: list[list[tuple[float, float, int]]], size: tuple[int, int] = (SIDE, SIDE)) -> Interactions:
    """A click a turn: x, y, label."""
    longest = max(map(len, rows))
    padded = [
        [(*click, turn) for turn, click in enumerate(row)] + [(0, 0, -1, 0)] * (longest - len(row)) for row in rows
    ]
    return Interactions.of(torch.tensor(padded, dtype=torch.float32), size)


def view(
    said: Interactions,
    flip: bool = False,
    dtype: torch.dtype = torch.float32,
    frame: Frame | None = None,
    seed: int = 1,
) -> View:
    """A view of random images; sample i's image is the same in every batch."""
    frame = frame or Frame.whole(len(said), said.size)
    image = torch.stack(
        [torch.rand(3, *said.size, generator=torch.Generator().manual_seed(seed + i)) for i in range(len(said))]
    )
    nothing = torch.zeros(len(said), 1, *frame.size, dtype=dtype)
    return (FlippedView if flip else View)(
        method=method(dtype=dtype),
        image=frame.crop(image).to(dtype),
        previous=nothing,
        interactions=said.through(frame),
        said=said,
        frame=frame,
    )

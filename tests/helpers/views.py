"""A method with a tiny network, and views of it."""

from functools import cache

import torch

from zoo.encoders.distance import TanhDistance
from zoo.inference.view import FlippedView, View
from zoo.inference.zoom import Zoom
from zoo.interactions import Interactions
from zoo.losses import BinaryCrossEntropy
from zoo.methods.base import InteractiveMethod
from zoo.ops.frame import Frame
from zoo.refiners import Refiner
from zoo.testing import TinyNetwork
from zoo.users import NextClick

SIDE = 32


@cache
def network(dtype: torch.dtype = torch.float32) -> TinyNetwork:
    """Untrained."""
    return TinyNetwork().eval().to(dtype)


def method(
    refiner: Refiner | None = None, zoom: Zoom | None = None, flip: bool = False, dtype: torch.dtype = torch.float32
) -> InteractiveMethod:
    return InteractiveMethod(
        network(dtype),
        encoder=TanhDistance(20),
        loss=BinaryCrossEntropy(),
        user=NextClick(),
        zoom=zoom,
        refiner=refiner,
        flip=flip,
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

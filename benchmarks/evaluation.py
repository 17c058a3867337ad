"""Sessions in one batch beside the same sessions one at a time."""

from functools import partial

import torch

from benchmarks.common import Row, best_of
from zoo.data.batch import Batch
from zoo.evaluation import Interactive
from zoo.inference.zoom import WholeImage
from zoo.inference.zoom_in import ZoomIn
from zoo.methods.ritm import RITM
from zoo.networks import DeepLabV3Plus
from zoo.users import Truth

SESSIONS, TURNS = 8, 3


def run() -> list[Row]:
    """RITM with random weights, on crops and, zoomed in, on whole images. A ratio below 1 is what a batch saves."""
    torch.manual_seed(0)
    network = DeepLabV3Plus(in_channels=6, fusion="stem")
    sizes = [("crops", 128, WholeImage()), ("crops", 384, WholeImage()), ("images", 768, ZoomIn(384))]
    return [_row(RITM(network, zoom=zoom).eval(), side, what) for what, side, zoom in sizes]


def _row(method: RITM, side: int, what: str) -> Row:
    protocol, engine = Interactive(max_interactions=TURNS), method.engine()
    image = torch.rand(SESSIONS, 3, side, side)
    target = torch.zeros(SESSIONS, 1, side, side, dtype=torch.bool)
    for k in range(SESSIONS):
        target[k, :, side // 4 : side // 2 + k, side // 3 : side // 2 + k] = True
    number = torch.arange(SESSIONS)
    truth = Truth(target, number)

    def play(index: torch.Tensor) -> None:
        protocol.run(engine, Batch(image[index], truth.select(index), index))

    def alone() -> None:
        for k in range(SESSIONS):
            play(number[k : k + 1])

    name = f"{SESSIONS} sessions of {TURNS} clicks, {what} of {side}x{side} px"
    return Row(name, best_of(partial(play, number), repeats=2), best_of(alone, repeats=2), "the same one at a time")

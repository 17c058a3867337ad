"""A click with each refiner beside one pass of its network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from benchmarks.common import Row, best_of
from benchmarks.training import STORE
from zoo.data.batch import Batch, collate
from zoo.data.datamodule import open_stores
from zoo.data.datasets import Selection
from zoo.data.objects import ObjectWindows
from zoo.evaluation import Interactive
from zoo.evaluation.speed import TimedEngine
from zoo.hub.load import load_method
from zoo.inference.precision import in_precision
from zoo.inference.session import as_images
from zoo.methods.base import InteractiveMethod
from zoo.refiners import CGAM, FBRSA, FBRSB, FBRSC, RGBBRS, DistMapBRS, Refiner
from zoo.users import Truth

METHOD = "ritm-glands-glas"
SIDE, OBJECT, SESSIONS, CLICKS, REPEATS = 384, 64, 4, 6, 3


def run() -> list[Row]:
    """Time clicks 2 to 6 of sessions on nuclei as large as glands, one at a time; the first click has no search.

    The network was trained on glands: its masks of nuclei are wrong often enough that refiners have much to do.
    """
    method = load_method(METHOD).eval()
    assert isinstance(method, InteractiveMethod)
    timings = [_Timing(refiner) for refiner in (FBRSC(), FBRSB(), FBRSA(), CGAM(), DistMapBRS(), RGBBRS())]
    sessions = _sessions()
    joined = method.join(*(torch.rand(1, channels, SIDE, SIDE) for channels in (3, 2, 1)))

    def bare() -> None:
        with torch.no_grad(), in_precision("trainer", joined.device):
            method.network(joined)

    limit_s = float("inf")
    for _ in range(REPEATS):
        limit_s = min(limit_s, best_of(bare))
        for timing in timings:
            timing.repeat(method, sessions)
    return [
        Row(f"a click with {type(timing.refiner).__name__}, {SIDE}x{SIDE} px", timing.best, limit_s, "network")
        for timing in timings
    ]


@dataclass
class _Timing:
    """Seconds of a click with a refiner."""

    refiner: Refiner
    best: float = float("inf")

    def repeat(self, method: InteractiveMethod, sessions: list[tuple[Tensor, Truth]]) -> None:
        """Keep the fastest mean."""
        method.refiner = self.refiner
        seconds: list[float] = []
        for image, truth in sessions:
            engine = TimedEngine(method.engine())
            Interactive(max_interactions=CLICKS).run(engine, Batch(image, truth, truth.sample_id))
            seconds += engine.seconds[1:]
        self.best = min(self.best, sum(seconds) / len(seconds))


def _sessions() -> list[tuple[Tensor, Truth]]:
    """Images and targets of nuclei, enlarged."""
    windows = ObjectWindows(Selection(open_stores([str(STORE)]), "test"), OBJECT, min_area=200)
    out = []
    for k in range(SESSIONS):
        batch = collate([windows[k * len(windows) // SESSIONS]])
        size = (SIDE, SIDE)
        image = interpolate(as_images(batch.image), size, mode="bilinear", align_corners=False)
        target = interpolate(batch.truth.target.float(), size) > 0
        out.append((image, Truth(target, torch.tensor([k]))))
    return out

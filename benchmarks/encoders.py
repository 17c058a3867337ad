"""Guidance maps beside writing one value for each click into zeros of their size."""

import torch

from benchmarks.common import Row, best_of
from zoo.encoders import Disks, Gaussians, InclusionExclusion, InverseDistance, StrokeRaster, TanhDistance
from zoo.interactions import Interactions

BATCH, POINTS, SIDE = 8, 24, 384


def run() -> list[Row]:
    """Time each encoder on 24 clicks of both signs in 8 images of 384x384."""
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(BATCH, POINTS, 4, generator=generator) * SIDE
    points[..., 2] = torch.arange(POINTS) % 2
    strokes = torch.rand(BATCH, 2, SIDE, SIDE, generator=generator) > 0.999
    clicks = Interactions.of(points, (SIDE, SIDE))
    scribbled = Interactions.of(points, (SIDE, SIDE), strokes)
    image = torch.zeros(BATCH, 3, SIDE, SIDE)
    sample = torch.arange(BATCH)[:, None]
    x, y, label = (points[..., i].long() for i in range(3))

    def bare() -> torch.Tensor:
        maps = torch.zeros(BATCH, 2, SIDE, SIDE)
        maps[sample, label, y, x] = 1.0
        return maps

    limit_s = best_of(bare, repeats=20)
    encoders = [InclusionExclusion(), Disks(5), Gaussians(), InverseDistance(), TanhDistance()]
    cases = [(f"{type(e).__name__} clicks", e, clicks) for e in encoders]
    cases += [(f"{type(e).__name__} clicks and strokes", e, scribbled) for e in (StrokeRaster(), InverseDistance())]
    shape = f"{BATCH}x{POINTS} on {SIDE}x{SIDE}"
    return [
        Row(f"{name} {shape}", best_of(lambda e=e, given=given: e(given, image)), limit_s, "torch.zeros + index_put")
        for name, e, given in cases
    ]

"""Chooses the parameters of the classical methods on training images, as the experiments use them.

python experiments/tune_classical.py objects 'data/monuseg/*.h5' --images 8
python experiments/tune_classical.py windows 'data/glas-fields/guide-*.h5' 'data/glas-fields/refine-*.h5' --images 8

`objects`: one centroid click an object of an image (one-shot, with exclusion), mean AJI. `windows`: windows of 384 px
of region images, mean IoU over the first 8 correction scribbles of DeepScribble's Table 1. Both print the best last.
"""

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from zoo.commands.guard import guarded
from zoo.data.batch import Batch, collate
from zoo.data.datamodule import open_stores
from zoo.data.datasets import Selection, StoreDataset, WholeImages
from zoo.data.windows import GridWindows
from zoo.evaluation import Interactive
from zoo.evaluation.oneshot import click_objects
from zoo.inference.engine import Engine
from zoo.inference.oneshot import OneShot
from zoo.inference.session import as_images
from zoo.methods import ActiveContour, GrabCut, RandomWalker, RegionGrowing, Watershed
from zoo.metrics import aji
from zoo.metrics.interaction import auc
from zoo.store.reader import Store
from zoo.users import CorrectionScribbles
from zoo.users.centroid import Centroid

Options = dict[str, Any]
Score = Callable[[Engine], float]

OBJECTS: dict[Any, dict[str, list[Any]]] = {
    Watershed: {
        "stain": ["hematoxylin", "gray"],
        "sigma": [1.0, 2.0],
        "max_radius": [12.0, 16.0, 24.0, 32.0],
        "seed_radius": [2, 4, 6],
        "window": [64],
    },
    RegionGrowing: {
        "stain": ["hematoxylin", "gray"],
        "sigma": [1.0, 2.0],
        "tolerance": [0.8, 1.2, 1.6, 2.0],
        "iterations": [10, 20, 30],
        "window": [64],
    },
}
WINDOWS: dict[Any, dict[str, list[Any]]] = {
    Watershed: {
        "window": [None],
        "max_radius": [None],
        "foreground": [False, True],
        "seed_radius": [2, 6, 12],
        "sigma": [2.0, 1.0, 4.0, 8.0],
        "stain": ["hematoxylin", "gray", "saturation"],
    },
    RegionGrowing: {
        "window": [None],
        "sigma": [2.0, 4.0, 8.0],
        "tolerance": [1.0, 0.6, 1.5, 2.0, 3.0],
        "stain": ["hematoxylin", "gray", "saturation"],
        "iterations": [60, 20, 120, 240],
    },
    RandomWalker: {
        "window": [None],
        "max_radius": [None],
        "beta": [300.0, 30.0, 3000.0],
        "sigma": [2.0, 4.0, 8.0],
        "stain": ["hematoxylin", "gray", "saturation"],
    },
    GrabCut: {
        "window": [None],
        "radius": [40.0, 20.0],
        "connected": [True, False],
        "sigma": [2.0, 4.0],
        "iterations": [1],
    },
    ActiveContour: {
        "window": [None],
        "sigma": [2.0, 4.0],
        "iterations": [30, 60],
        "seed_radius": [3, 10],
    },
}


def every(grid: Mapping[str, Sequence[Any]]) -> Iterator[Options]:
    """All combinations."""
    return (dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values()))


def climb(method: Any, grid: Mapping[str, Sequence[Any]], score: Score) -> list[tuple[float, Options]]:
    """One option after the other, from the first values, keeping the best so far: for methods that take long."""
    best = {name: values[0] for name, values in grid.items()}
    seen = [(score(method(**best)), best)]
    for name, values in grid.items():
        seen += [(score(method(**other)), other) for other in (best | {name: value} for value in values[1:])]
        best = max(seen, key=lambda pair: pair[0])[1]
    return seen


def spread(dataset: StoreDataset, count: int) -> list[Batch]:
    """So many samples, evenly over all of a data set."""
    numbers = range(0, len(dataset), max(1, len(dataset) // count))
    return [collate([dataset.sample(number, 0)]) for number in list(numbers)[:count]]


def on_objects(stores: Sequence[Store], count: int) -> Score:
    """Mean AJI from one click an object."""
    batches = spread(WholeImages(Selection(stores, "train")), count)
    clicks = [click_objects(Centroid(), batch.truth, torch.device("cpu")) for batch in batches]

    def score(engine: Engine) -> float:
        results = [
            aji(OneShot()(engine, as_images(batch.image), said).numpy(), batch.truth.instances[0, 0].numpy())
            for batch, said in zip(batches, clicks, strict=True)
        ]
        return sum(results) / len(results)

    return score


def on_windows(stores: Sequence[Store], count: int) -> Score:
    """Mean IoU over interactions."""
    batches = spread(GridWindows(Selection(stores, "train"), 384, 128, min_positive=0.2, max_positive=0.8), count)
    user = CorrectionScribbles(rule="largest", limit=0.0005, min_area=20)
    protocol = Interactive(user, max_interactions=8, samples=GridWindows, start="prediction")

    def score(engine: Engine) -> float:
        traces = [protocol.run(engine, b) for b in batches]
        return auc(torch.cat([t.ious for t in traces]), 8, torch.cat([t.initial for t in traces]))

    return score


def main() -> int:
    """Print the mean score of every combination that was tried, best last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["objects", "windows"])
    parser.add_argument("files", nargs="+", help="stores, glob patterns; only their split 'train' is read")
    parser.add_argument("--images", type=int, default=8, help="images or windows to use, spread over all (default: 8)")
    parser.add_argument("--methods", nargs="*", help="only these classes")
    arguments = parser.parse_args()

    stores = open_stores(arguments.files)
    objects = arguments.task == "objects"
    score = (on_objects if objects else on_windows)(stores, arguments.images)
    for method, grid in (OBJECTS if objects else WINDOWS).items():
        if arguments.methods and method.__name__ not in arguments.methods:
            continue
        began = time.perf_counter()
        scores = [(score(method(**o)), o) for o in every(grid)] if objects else climb(method, grid, score)
        for value, options in sorted(scores, key=lambda pair: pair[0])[-5 if objects else 0 :]:
            print(f"{method.__name__} {value:.4f} {options}")
        print(f"{len(scores)} combinations in {time.perf_counter() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(guarded("tune_classical", main))

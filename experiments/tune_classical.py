"""Chooses the parameters of the classical methods on training images, as `experiments/*.yaml` use them.

python experiments/tune_classical.py 'data/monuseg/*.h5' --images 8

Every combination segments the same training images from one centroid click an object (one-shot, with exclusion); the
one with the highest mean AJI is printed last.
"""

import argparse
import itertools
from typing import Any

import torch
from rich.progress import track

from zoo.data.batch import collate
from zoo.data.datamodule import open_stores
from zoo.data.datasets import WholeImages
from zoo.evaluation.oneshot import click_objects
from zoo.inference.oneshot import OneShot
from zoo.inference.session import as_images
from zoo.methods import RegionGrowing, Watershed
from zoo.metrics import aji
from zoo.users.centroid import Centroid

GRIDS: dict[Any, dict[str, list[Any]]] = {
    Watershed: {
        "stain": ["hematoxylin", "gray"],
        "sigma": [1.0, 2.0],
        "max_radius": [12.0, 16.0, 24.0, 32.0],
        "seed_radius": [2, 4, 6],
    },
    RegionGrowing: {
        "stain": ["hematoxylin", "gray"],
        "sigma": [1.0, 2.0],
        "tolerance": [0.8, 1.2, 1.6, 2.0],
        "iterations": [10, 20, 30],
    },
}


def main() -> None:
    """Print the mean AJI of every combination, best last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", help="stores, a glob pattern; only their split 'train' is read")
    parser.add_argument("--images", type=int, default=8, help="training images to use, spread over all (default: 8)")
    arguments = parser.parse_args()

    images = WholeImages(open_stores([arguments.files]), "train")
    numbers = range(0, len(images), max(1, len(images) // arguments.images))
    batches = [collate([images.sample(number, 0)]) for number in list(numbers)[: arguments.images]]
    clicks = [click_objects(Centroid(), batch.truth, torch.device("cpu")) for batch in batches]
    for method, grid in GRIDS.items():
        combinations = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
        scores = []
        for options in track(combinations, method.__name__):
            engine = method(window=64, **options)
            results = [
                aji(OneShot()(engine, as_images(batch.image), said).numpy(), batch.truth.instances[0, 0].numpy())
                for batch, said in zip(batches, clicks, strict=True)
            ]
            scores.append(sum(results) / len(results))
        for score, options in sorted(zip(scores, combinations, strict=True), key=lambda pair: pair[0])[-5:]:
            print(f"{method.__name__} AJI {score:.4f} {options}")


if __name__ == "__main__":
    main()

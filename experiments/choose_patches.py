"""Choose the patches of DeepScribble's Table 1: those that the guide segments neither badly nor well.

    python experiments/choose_patches.py --guide deepscribble-guide-glas --files 'data/glas-fields/test-*.h5' \
        --out experiments/lists/glas-fields-384.txt

Of all windows of a grid, those whose first IoU lies within the bounds are drawn at random: one of every image in turn,
so that no image gives more than it must. The list is made once; what is measured on it names it under `data.test_list`.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from zoo.commands.guard import guarded
from zoo.data.batch import collate
from zoo.data.datamodule import open_stores
from zoo.data.datasets import Selection
from zoo.data.windows import GridWindows
from zoo.evaluation.interactive import iou
from zoo.files import write_text
from zoo.hub.load import load_method
from zoo.inference.session import as_images


def main(arguments: Sequence[str] | None = None) -> int:
    """Choose and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--guide", required=True, help="GuideNet's checkpoint")
    parser.add_argument("--files", required=True, nargs="+", help="stores or glob patterns; their test split is used")
    parser.add_argument("--out", type=Path, required=True, help="the list")
    parser.add_argument("--side", type=int, default=384, help="of a patch, in pixels (default: %(default)s)")
    parser.add_argument("--stride", type=int, default=64, help="of the grid, in pixels (default: %(default)s)")
    parser.add_argument("--count", type=int, default=20, help="patches at most (default: %(default)s)")
    parser.add_argument("--low", type=float, default=0.5, help="first IoU is above this (default: %(default)s)")
    parser.add_argument("--high", type=float, default=0.75, help="first IoU is below this (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default: %(default)s)")
    args = parser.parse_args(arguments)

    windows = GridWindows(Selection(open_stores(args.files), "test"), args.side, args.stride)
    guide = load_method(args.guide)
    found: dict[int, list[str]] = defaultdict(list)
    for number in track(range(len(windows)), "guide"):
        batch = collate([windows[number]])
        mask = guide.probability(as_images(batch.image)) > guide.threshold
        if args.low < float(iou(mask, batch.truth)) < args.high:
            found[int(batch.image_id)].append(windows.name(number))
    names = spread(found, args.count, np.random.default_rng(args.seed))
    images = len({name.rsplit("/", 1)[0] for name in names})
    head = [
        f"# {len(names)} windows of {args.side} px from {images} images: of {len(windows)} on a grid with stride "
        f"{args.stride},",
        f"# {sum(map(len, found.values()))} in {len(found)} images begin with an IoU in ({args.low}, {args.high}) of "
        f"{Path(args.guide).name}; seed {args.seed}.",
    ]
    write_text(args.out, "\n".join([*head, *sorted(names)]) + "\n")
    print(f"{args.out}: {len(names)} windows of {images} images")
    return 0


def spread(found: dict[int, list[str]], count: int, rng: np.random.Generator) -> list[str]:
    """At most `count` names: one of every image in random order, then a second one of every image, and so on."""
    queues = [list(rng.permutation(found[image])) for image in sorted(found)]
    chosen: list[str] = []
    while len(chosen) < count and any(queues):
        for k in rng.permutation(len(queues)):
            if queues[k] and len(chosen) < count:
                chosen.append(str(queues[k].pop()))
    return chosen


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    sys.exit(guarded("choose_patches", main))

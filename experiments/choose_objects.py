"""Draw test objects for experiments that are too slow for all of them, in proportion to the strata they fall in.

    python experiments/choose_objects.py --files "data/glas/*.h5" --by part grade --out experiments/lists/NAME.txt

A stratum is what the given attributes of an image's group say. Each gives its share of the objects, rounded by the
largest remainder, at random. The list is made once; what is measured on it names it under `data.test_list`.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zoo.commands.guard import guarded
from zoo.data.datamodule import open_stores
from zoo.data.datasets import Selection
from zoo.data.objects import ObjectsInImages
from zoo.errors import DataError
from zoo.files import write_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", required=True, nargs="+", help="stores or glob patterns; their test split is used")
    parser.add_argument("--by", required=True, nargs="+", help="attributes of the groups that make the strata")
    parser.add_argument("--out", type=Path, required=True, help="the list")
    parser.add_argument("--count", type=int, default=100, help="objects (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default: %(default)s)")
    args = parser.parse_args(arguments)

    objects = ObjectsInImages(Selection(open_stores(args.files), "test"))
    attributes = {(store.path.name, info.name): info.attributes for store, info in objects.sources}
    strata: dict[str, list[str]] = defaultdict(list)
    for number in range(len(objects)):
        place = objects.describe(number)
        of_group = attributes[str(place["file"]), str(place["group"])]
        missing = [name for name in args.by if name not in of_group]
        if missing:
            raise DataError(
                f"{place['file']}: {place['group']} has no attribute {missing[0]!r}; it has {sorted(of_group)}"
            )
        strata[" ".join(str(of_group[name]) for name in args.by)].append(objects.name(number))
    if not 1 <= args.count <= len(objects):
        raise DataError(f"{args.count} objects were asked for, the test split has {len(objects)}; correct --count")

    rng = np.random.default_rng(args.seed)
    quota = shares({name: len(strata[name]) for name in sorted(strata)}, args.count)
    chosen = [str(name) for stratum in quota for name in rng.choice(strata[stratum], quota[stratum], replace=False)]
    images = len({name.rsplit("/", 1)[0] for name in chosen})
    parts = ", ".join(f"{quota[name]} of {len(strata[name])} {name}" for name in quota)
    head = [
        f"# {len(chosen)} of {len(objects)} objects of the test split, from {images} images, seed {args.seed}:",
        f"# {parts}.",
    ]
    write_text(args.out, "\n".join([*head, *sorted(chosen)]) + "\n")
    print(f"{args.out}: {len(chosen)} objects of {images} images: {parts}")
    return 0


def shares(sizes: dict[str, int], count: int) -> dict[str, int]:
    """How many of `count` each of the strata gives: in proportion to its size, rounded by the largest remainder."""
    exact = {name: count * size / sum(sizes.values()) for name, size in sizes.items()}
    quota = {name: int(share) for name, share in exact.items()}
    rest = sorted(exact, key=lambda name: quota[name] - exact[name])
    for name in rest[: count - sum(quota.values())]:
        quota[name] += 1
    return quota


if __name__ == "__main__":
    sys.exit(guarded("choose_objects", main))

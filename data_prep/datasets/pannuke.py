"""PanNuke: 7,901 patches of H&E tissue, 256 px, 40x, 19 tissues, every nucleus; three folds as NumPy arrays.

Each of the publisher's archives holds, for its fold, in the same order:
  images.npy  (N, 256, 256, 3), float64 with values from 0 to 255; other types of number are taken too
  masks.npy   (N, 256, 256, 6), ids of nuclei: neoplastic, inflammatory, connective, dead, epithelial; the sixth
              channel is background and is not read
  types.npy   (N,), the tissue of each patch
as the README.md inside them, the publisher's metrics (github.com/TissueImageAnalytics/PanNuke-metrics, run.py) and
github.com/Mr-TalhaIlyas/Prerpcessing-PanNuke-Nuclei-Instance-Segmentation-Dataset (folders) describe them.

One file a fold, with one stack a tissue: patch i of a stack is the fold's i-th patch of that tissue. The five channels
become one map in which every nucleus has its own id, since ids of two channels may be equal; where two channels claim
a pixel, the later one has it. The publisher names neither patients nor slides, but made the folds: a fold's tissue
stands for both, and the stores say 'split by field'. Patches are read one at a time, so that memory stays small.
"""

import argparse
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_prep.plan import Group, Patch, Plan, Shard, wrong_layout
from zoo.errors import ConfigError, DataError

LAYOUT = """\
  Fold 1/images/fold1/images.npy
  Fold 1/images/fold1/types.npy
  Fold 1/masks/fold1/masks.npy
  (and the same for Fold 2 and Fold 3; folders above fold1 may have other names)"""

CITATION = (
    "Gamper et al., PanNuke: An Open Pan-Cancer Histology Dataset for Nuclei Instance Segmentation and "
    "Classification, ECDP 2019; Gamper et al., PanNuke Dataset Extension, Insights and Baselines, arXiv:2003.10778"
)

FOLDS = (1, 2, 3)
CHANNELS = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which fold is for what."""
    for split, default in (("train", [1]), ("val", [2]), ("test", [3])):
        parser.add_argument(
            f"--{split}", type=int, nargs="*", choices=FOLDS, default=default, metavar="FOLD",
            help=f"folds for '{split}', or nothing; default: {default[0]}",
        )  # fmt: skip


def plan(source: Path, args: argparse.Namespace) -> Plan:
    """One shard per fold that is used."""
    split_of = [(fold, split) for split in ("train", "val", "test") for fold in getattr(args, split)]
    folds = [fold for fold, _ in split_of]
    if not folds or len(set(folds)) < len(folds):
        raise ConfigError(f"--train, --val and --test name the folds {folds}; name at least one, and each only once")
    shards = []
    for fold, split in sorted(split_of):
        files = [_find(source, fold, name) for name in ("images.npy", "masks.npy", "types.npy")]
        shards.append(Shard(f"pannuke-fold{fold}", files, partial(_read, files, fold, split)))
    return Plan("PanNuke", "CC BY-NC-SA 4.0", CITATION, shards, split_unit="field")


def merge_channels(masks: NDArray[Any]) -> NDArray[np.int32]:
    """One instance map of the channels of a patch.

    Args:
        masks: (H, W, C) whole numbers of any type, 0 = background; ids of two channels may be equal.

    Returns:
        (H, W) int32; every id of every channel is another object, the later channel wins a pixel.
    """
    label = np.zeros(masks.shape[:2], np.int32)
    used = 0
    for channel in np.moveaxis(masks, -1, 0):
        inside = channel > 0
        label[inside] = channel[inside].astype(np.int32) + used
        used = max(used, int(label.max()))
    return label


def _find(source: Path, fold: int, name: str) -> Path:
    found = [
        path for path in sorted(source.rglob(name)) if re.sub(r"[\W_]", "", path.parent.name.lower()) == f"fold{fold}"
    ]
    if not found:
        raise wrong_layout(source, f"no {name} of fold {fold}", LAYOUT)
    if len(found) > 1:
        raise DataError(f"{found[0]} and {found[1]} are both {name} of fold {fold}; remove or move away one of them")
    return found[0]


def _read(files: Sequence[Path], fold: int, split: str) -> Iterator[Group]:
    images, masks, types = files
    tissues = np.asarray(_open(types))
    shapes = _open(images).shape, _open(masks).shape
    expected = (*shapes[0][:3], 3), (*shapes[0][:3], CHANNELS)
    if len(shapes[0]) != 4 or shapes != expected or tissues.shape != shapes[0][:1]:
        raise DataError(
            f"{images}: {shapes[0]}, {masks.name}: {shapes[1]}, {types.name}: {tissues.shape}; these must be "
            f"(N, 256, 256, 3), (N, 256, 256, {CHANNELS}) and (N,): download the fold again"
        )
    for tissue in np.unique(tissues):
        name = f"fold{fold}-{tissue}"
        yield Group(
            name,
            _patches(images, masks, np.flatnonzero(tissues == tissue)),
            slide=name,
            patient=name,
            split=split,
            mpp=0.25,
            magnification=40,
            attributes={"tissue": str(tissue), "fold": fold},
        )


def _patches(images: Path, masks: Path, indices: NDArray[np.integer]) -> Iterator[Patch]:
    for index in indices:
        # Opened anew for each patch: pages of a mapping that stays open count as this process' memory.
        image, channels = np.array(_open(images)[index]), np.array(_open(masks)[index, ..., : CHANNELS - 1])
        if channels.min() < 0 or (channels != np.rint(channels)).any():
            raise DataError(
                f"{masks}: patch {index} holds no ids but {channels.min()}..{channels.max()}; download it again"
            )
        yield Patch(_pixels(images, int(index), image), merge_channels(channels))


def _pixels(path: Path, index: int, image: NDArray[Any]) -> NDArray[np.uint8]:
    whole = np.rint(image)
    if not 0 <= image.min() <= image.max() <= 255 or (image.max() <= 1 and (image != whole).any()):
        raise DataError(
            f"{path}: patch {index} has values from {image.min()} to {image.max()}; needed are those of the publisher, "
            "0 to 255: download it again"
        )
    pixels: NDArray[np.uint8] = whole.astype(np.uint8)
    return pixels


def _open(path: Path) -> NDArray[Any]:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: not a complete NPY file ({error}); download or unpack it again") from None

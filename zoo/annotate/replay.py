"""What people said, told to other checkpoints: a store, and an experiment that `zoo compare` evaluates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from zoo.annotate.document import History, history_of
from zoo.annotate.grid import PixelGrid, grid_of
from zoo.annotate.journal import Journal, Kept
from zoo.annotate.pictures import Pictures
from zoo.annotate.root import Root
from zoo.annotate.shapes import geometry_of, mask_of, read_mask
from zoo.annotate.stores import said_in
from zoo.annotate.wholes import Whole
from zoo.errors import CheckpointError, DataError
from zoo.files import write_text
from zoo.hub.folder import read_config
from zoo.hub.locate import locate
from zoo.store.writer import StoreWriter
from zoo.users.recorded import Recorded

STORE, TABLE = "annotations.h5", "replay.yaml"


def write_replay(journal: Path, root: Path, checkpoints: Sequence[str], out: Path) -> tuple[Path, list[str]]:
    """Write what is needed to replay annotations: a store with the objects, and a table with a row a checkpoint.

    Each object is a group of its own: the region that the person saw, as fine as any of the checkpoints sees it, and
    as target the mask that the person ended with.

    Args:
        journal: file of `zoo annotate`.
        root: what it was opened with.
        checkpoints: as `zoo.load` takes them.
        out: folder to write to.

    Returns:
        The table, and what was left out, for people to read.

    Raises:
        DataError: there is no such file, an image is missing, or nothing can be replayed.
        CheckpointError: a checkpoint is not there.
    """
    if not journal.is_file():
        raise DataError(f"{journal}: no such file; give one that `zoo annotate` keeps")
    models = [_model(name) for name in checkpoints]
    resolutions = [mpp for each in models if (mpp := each["init_args"].get("mpp")) is not None]
    left = {"without interactions": 0, "begun with a mask": 0, "with an empty mask": 0}
    count, images = 0, set()
    with (
        closing(Pictures(Root(root))) as pictures,
        closing(Journal(journal)) as kept,
        StoreWriter(
            out / STORE,
            dataset=f"annotations of {journal.name}",
            licence="unknown",
            citation="unpublished",
            source_checksum="0" * 64,
        ) as writer,
    ):
        for one, history, grid in _objects(kept, pictures, left):
            whole, target = _finer(one, history, grid, pictures, min(resolutions, default=None))
            if not whole.mask.any():
                left["with an empty mask"] += 1
                continue
            count += 1
            images.add(one.image)
            patient = Path(one.image).stem
            group = writer.open_group(f"{count:06}", slide=one.image, patient=patient, split="test", mpp=target.mpp)
            labels = whole.mask.astype(np.int32)
            x, y = target.origin
            group.append(pictures.read(one.image, target), labels, (round(x), round(y)))
            group.keep_interactions(said_in([whole], labels, target))
        if not count:
            raise DataError(f"{journal}: no object was segmented from interactions alone; there is nothing to replay")
    _write_table(out, journal, models, checkpoints)
    notes = [f"{number} objects {what} are left out" for what, number in left.items() if number]
    return out / TABLE, [f"{count} objects of {len(images)} images", *notes]


def _objects(kept: Journal, pictures: Pictures, left: dict[str, int]) -> Iterator[tuple[Kept, History, PixelGrid]]:
    """The objects that can be replayed; of others it is counted why not."""
    for identity in kept.of_image():
        read = kept.read(identity)
        assert read is not None  # it was listed
        one, events = read
        about = {"class": one.made.get("class"), "checkpoint": one.made["checkpoint"], "threshold": None}
        history = history_of(about, [each for each in events if each["do"] != "begin"])
        if "start" in one.made:
            left["begun with a mask"] += 1
        elif not history.said:
            left["without interactions"] += 1
        else:
            yield one, history, PixelGrid.of_json(one.seen["grid"])


def _finer(
    one: Kept, history: History, grid: PixelGrid, pictures: Pictures, finest: float | None
) -> tuple[Whole, PixelGrid]:
    """An object in the pixels of its region at the finest resolution that anybody asks for."""
    about = pictures.about(one.image)
    mpp = None if grid.mpp is None else grid.mpp / grid.downsample
    target = grid
    if mpp is not None and grid.mpp is not None and finest is not None and finest < grid.mpp and grid.downsample > 1:
        target = grid_of((about.width, about.height), mpp, finest, grid.region, fit=True)
    geometry = geometry_of(read_mask(one.mask), grid, exact=True)
    mask = np.zeros(target.size, bool) if geometry is None else mask_of(geometry, target)
    return Whole(one, history, target, mask), target


def _model(name: str) -> dict[str, Any]:
    """What an experiment says of a checkpoint's method."""
    config = read_config(locate(name))
    init = dict(config.get("init_args", {}))
    try:
        locate(name).joinpath("model.safetensors").stat()
    except OSError:
        raise CheckpointError(f"{name}: has no weights") from None
    return {"class_path": config["class_path"], "init_args": init | {"weights": name}}


def _write_table(out: Path, journal: Path, models: Sequence[dict[str, Any]], checkpoints: Sequence[str]) -> None:
    turns = Recorded(str(out / STORE)).turns
    user = {"class_path": "zoo.users.Recorded", "init_args": {"file": str(out / STORE)}}
    content: dict[str, Any] = {
        "protocol": {
            "class_path": "zoo.evaluation.Interactive",
            "init_args": {"user": user, "samples": "zoo.data.ObjectsInImages", "max_interactions": turns},
        },
        "data": {"files": [str(out / STORE)], "batch_size": 1},
        "rows": {
            _row(number, name): {"title": Path(name).name if "://" not in name else name, "model": model}
            for number, (name, model) in enumerate(zip(checkpoints, models, strict=True))
        },
    }
    head = f"# What people said in {journal.name}, told to other checkpoints; `zoo compare` evaluates it again.\n"
    write_text(out / TABLE, head + yaml.safe_dump(content, sort_keys=False))


def _row(number: int, name: str) -> str:
    plain = re.sub(r"[^\w.-]+", "-", Path(name).name).strip("-.")
    return plain or f"checkpoint-{number}"

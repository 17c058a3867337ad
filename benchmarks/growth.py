"""One more click in a session on images of growing sizes: the work beside the network, in processor time."""

import dataclasses
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from benchmarks.common import Row
from zoo.hub.load import load
from zoo.inference.layered import Layered
from zoo.inference.session import Session
from zoo.interactions import Click

SIDES = (512, 1024, 2048, 4096, 8192, 16_384)
CLICKS = 10
# A dark nucleus, and a gland with its lumen: radius and colour of disks, one over the other.
OBJECTS = {
    "nuclick-nuclei-compact": [(12, (90, 50, 130))],
    "ritm-glands-glas": [(90, (110, 60, 150)), (60, (245, 235, 245))],
}


def run() -> list[Row]:
    """The limit is the same at the smallest size: what does not grow has a ratio of 1."""
    rows = []
    for name, disks in OBJECTS.items():
        least: dict[str, float] = {}
        for side in SIDES:
            for what, seconds in _measured(name, _picture(side, disks)).items():
                least.setdefault(what, seconds)
                title = f"{name}, {what}, {side}x{side} px, CPU time"
                rows.append(Row(title, seconds, least[what], f"the same, {SIDES[0]}x{SIDES[0]} px"))
    return rows


def _measured(name: str, picture: np.ndarray) -> dict[str, float]:
    session = load(name, precision="float32", backend="torch")
    spent = _watched(session)
    began = time.process_time()
    session.set_image(picture, mpp=session.mpp)
    assert not session.mask.any()  # the session begins
    start = time.process_time() - began
    centre = len(picture) / 2 + 0.5
    beside, network = [], []
    for k in range(CLICKS):
        began, before = time.process_time(), spent()
        session.add(Click(centre + 3 * k, centre + k % 3 * 4, positive=k % 3 != 2))
        network.append(spent() - before)
        beside.append(time.process_time() - began - network[-1])
    seen: set[int] = set()
    turns = [sum(_bytes(turn, seen)) for turn in session._history]
    kept = f"{turns[0] / 1e6:.2f} MB are kept of the first turn, {max(turns[1:]) / 1e6:.2f} of others"
    print(f"{name}, {len(picture)} px: {kept}", file=sys.stderr)
    began = time.process_time()
    assert session.mask.shape[-1] == len(picture)
    read = time.process_time() - began
    began = time.process_time()
    session.undo()
    undo = time.process_time() - began
    return {
        "set_image and the first mask": start,
        "first click": beside[0],
        "first click, network": network[0],
        "clicks 2 to 5": min(beside[1:5]),
        f"clicks 6 to {CLICKS}": min(beside[5:]),
        "reading the mask": read,
        "undo": undo,
    }


def _watched(session: Session) -> Callable[[], float]:
    """Seconds that the network has taken so far."""
    network = session.engine.method.network  # type: ignore[attr-defined]
    forward, spent = network.forward, [0.0]

    def watched(*given: torch.Tensor) -> torch.Tensor:
        began = time.process_time()
        out: torch.Tensor = forward(*given)
        spent[0] += time.process_time() - began
        return out

    network.forward = watched
    return lambda: spent[0]


def _bytes(kept: Any, seen: set[int]) -> Iterator[int]:
    """Of all tensors in what is kept that were not seen before."""
    if isinstance(kept, Layered):
        yield from _bytes(kept.layers, seen)
    elif isinstance(kept, torch.Tensor):
        if id(kept) not in seen:
            seen.add(id(kept))
            yield kept.nbytes
    elif isinstance(kept, dict | list | tuple):
        for each in kept.values() if isinstance(kept, dict) else kept:
            yield from _bytes(each, seen)
    elif dataclasses.is_dataclass(kept):
        for field in dataclasses.fields(kept):
            yield from _bytes(getattr(kept, field.name), seen)


def _picture(side: int, disks: list[tuple[int, tuple[int, int, int]]]) -> np.ndarray:
    """Noisy light ground with one object in the middle."""
    tile = min(side, 1024)
    noise = np.random.default_rng(0).integers(-12, 12, (tile, tile, 1), np.int16)
    ground = (np.array((225, 170, 205), np.int16) + noise).clip(0, 255).astype(np.uint8)
    picture = np.tile(ground, (side // tile, side // tile, 1))
    middle = slice(side // 2 - 128, side // 2 + 128)
    rows, columns = np.mgrid[-128:128, -128:128]
    for radius, colour in disks:
        picture[middle, middle][rows**2 + columns**2 < radius**2] = colour
    return picture

"""Segments what clients ask about, without knowing them: each request says all, and none changes another's answer."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from math import ceil, floor
from typing import Annotated, cast

import numpy as np
from fastapi import Depends, Request
from numpy.typing import NDArray

from zoo.annotate.document import Document, Say
from zoo.annotate.grid import MOST_PIXELS, PixelGrid, Region, grid_of
from zoo.annotate.live import Live
from zoo.annotate.models import About, Model, Models
from zoo.annotate.pictures import Pictures
from zoo.annotate.refused import RefusedError
from zoo.annotate.shapes import Geometry, Mask, geometry_of
from zoo.annotate.together import check_count, region_around, scale, side_around, together
from zoo.errors import InteractionError
from zoo.inference.said import extent
from zoo.interactions import Interaction
from zoo.interactions.single import check

MOST_SEEN = 2048 * 2048
"""Pixels at a model's resolution of a region that is kept whole for models that work in a window."""
MOST_KEPT = 16
"""Sessions that wait for a further prompt on the same pixels."""
MOST_KEPT_PIXELS = 32_000_000
"""Of all of them."""


@dataclass(frozen=True)
class RegionSource:
    """The pixels that somebody asks about.

    Attributes:
        key: the same for the same pixels.
        size: width and height of the image that coordinates are of.
        mpp: micrometres a pixel of it.
        read: (H, W, 3) of a part of it.
        region: what of it is looked at; None: all.
        coarser: whether `read` gives coarser pixels, too.
    """

    key: Hashable
    size: tuple[int, int]
    mpp: float | None
    read: Callable[[PixelGrid], NDArray[np.uint8]]
    region: Region | None = None
    coarser: bool = False


@dataclass(frozen=True)
class Answered:
    """An object.

    Attributes:
        mask: which pixels of the grid.
        grid: where they lie.
        quality: mean probability of the mask's pixels, 0..1; 0 of an empty one.
    """

    mask: Mask
    grid: PixelGrid
    quality: float

    @property
    def geometry(self) -> Geometry | None:
        """Its valid polygons with their holes, in pixels of the image; None: it is empty."""
        return geometry_of(self.mask, self.grid)


@dataclass
class _Waiting:
    """A session on some pixels, which one request uses at a time."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    live: Live | None = None
    pixels: int = 0


class Prompts:
    """Objects from prompts that clients send with their pixels each time.

    A session is kept for a while: a further prompt on the same pixels begins where the last began.

    Args:
        models: what segments.
        pictures: images and slides that clients can name; None: there are none.
        mpp: micrometres a pixel of what is sent without saying it; None: as the model's.
    """

    def __init__(self, models: Models, pictures: Pictures | None = None, mpp: float | None = None) -> None:
        self.models, self.pictures, self.mpp = models, pictures, mpp
        self._held: OrderedDict[Hashable, _Waiting] = OrderedDict()
        self._lock = threading.Lock()

    def chosen(self, text: str | None) -> tuple[About, float | None]:
        """The checkpoint of `NAME` or `NAME@MPP`, and the mpp of the image; of nothing the default.

        Raises:
            RefusedError: there is no such checkpoint, or no such resolution.
        """
        name = text or self.models.default
        before, _, after = name.rpartition("@")
        if name in self.models.known or not before:
            return self.models.about(name), self.mpp
        try:
            mpp = float(after)
        except ValueError:
            return self.models.about(name), self.mpp
        if not 1e-3 < mpp < 1e3:
            raise RefusedError(422, f"{name!r}: {after} is no resolution; give micrometres a pixel, as in {before}@0.5")
        return self.models.about(before), mpp

    def one(self, name: str, source: RegionSource, said: Sequence[Interaction], start: Mask | None = None) -> Answered:
        """The object of which something was said.

        Args:
            name: the checkpoint's.
            source: where it lies.
            said: in pixels of the image; all in one turn.
            start: (H, W) of the image, to begin with.

        Raises:
            RefusedError: something lies outside, or there is nothing to begin with.
        """
        model = self.models.get(name)
        if not said and start is None and model.engine.warmup:
            raise RefusedError(422, f"{name} needs to be told where the object is; give at least one point or box")
        _check(said, source)
        grid = self._grid(model, source, said)
        begin = None if start is None else start[part_of(grid)]
        key = (name, source.key, grid, None if begin is None else sha256(begin.tobytes()).digest())
        document: Document = (Say(tuple(enumerate(said, 1))),) if said else ()
        held = self._hold(key, grid.pixels)
        with held.lock:
            if held.live is None:
                held.live = Live(model, source.read(grid), grid, begin)
            live, held.live = held.live, None  # what fails half way is not gone on with
            live.follow(document)
            mask = live.mask(document)
            quality = float(live.probability[mask].mean()) if mask.any() else 0.0
            held.live = live
        return Answered(mask, grid, min(max(quality, 0.0), 1.0))

    def many(
        self, name: str, source: RegionSource, clicks: Sequence[Interaction]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], PixelGrid]:
        """An object a click: (H, W) the click's number, from 1; its probability; and where these pixels lie.

        Raises:
            RefusedError: a click lies outside, or these are too many.
        """
        model = self.models.get(name)
        check_count(model, len(clicks))
        _check(clicks, source)
        grid = self._grid(model, source, clicks, alone=True)
        if grid.pixels / scale(grid.mpp, model.engine.mpp) ** 2 > MOST_PIXELS + 1:
            raise RefusedError(413, f"the points lie too far apart for {name}; give those of a smaller rectangle")
        return *together(model, source.read(grid), grid, [grid.within(each) for each in clicks]), grid

    @property
    def kept(self) -> int:
        """How many sessions wait for a further prompt."""
        with self._lock:
            return len(self._held)

    def _grid(self, model: Model, source: RegionSource, said: Sequence[Interaction], alone: bool = False) -> PixelGrid:
        """What the model looks at: the region, or of a large one what lies around the prompts."""
        region = source.region or (0.0, 0.0, float(source.size[0]), float(source.size[1]))
        seen = region[2] * region[3] / scale(source.mpp, model.engine.mpp) ** 2
        if said and model.engine.window is not None and (alone or seen > MOST_SEEN):
            side = side_around(model, source.mpp)
            corners = [extent(each) for each in said]
            around = region_around([c[:2] for c in corners] + [c[2:] for c in corners], side)
            region = _on_steps(around, ceil(side / 2))
        return grid_of(source.size, source.mpp, model.engine.mpp if source.coarser else None, region)

    def _hold(self, key: Hashable, pixels: int) -> _Waiting:
        with self._lock:
            held = self._held.setdefault(key, _Waiting(pixels=pixels))
            self._held.move_to_end(key)
            while len(self._held) > 1 and (
                len(self._held) > MOST_KEPT or sum(each.pixels for each in self._held.values()) > MOST_KEPT_PIXELS
            ):
                self._held.popitem(last=False)
            return held


def sent(content: bytes, pixels: NDArray[np.uint8], mpp: float | None) -> RegionSource:
    """What came within a request, as a file and as (H, W, 3)."""
    height, width = pixels.shape[:2]
    return RegionSource((sha256(content).digest(), mpp), (width, height), mpp, lambda grid: pixels[part_of(grid)])


def prompts_of(request: Request) -> Prompts:
    """Those of the app that answers."""
    return cast(Prompts, request.app.state.prompts)


Asked = Annotated[Prompts, Depends(prompts_of)]


def _check(said: Sequence[Interaction], source: RegionSource) -> None:
    width, height = source.size
    try:
        for each in said:
            check(each, (height, width))
    except InteractionError as error:
        raise RefusedError(422, str(error)) from None


def part_of(grid: PixelGrid) -> tuple[slice, slice]:
    """Rows and columns of a grid of whole pixels."""
    (x, y), (height, width) = grid.origin, grid.size
    return slice(int(y), int(y) + height), slice(int(x), int(x) + width)


def _on_steps(region: Region, step: int) -> Region:
    """A region that begins and ends on multiples of a step, so that prompts near each other share one."""
    x, y, w, h = region
    x0, y0 = floor(x / step) * step, floor(y / step) * step
    return x0, y0, ceil((x + w) / step) * step - x0, ceil((y + h) / step) * step - y0

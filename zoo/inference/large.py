"""One object of a field too large for memory, segmented tile by tile."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.errors import ConfigError
from zoo.images.raster import Raster
from zoo.inference.said import Said
from zoo.inference.session import Session
from zoo.inference.tiling import TiledEngine, axis
from zoo.interactions import Interactions
from zoo.ops.frame import Slices
from zoo.slides.field import Field

Values = NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with the number of tiles done and that of all."""


def nothing(done: int, total: int) -> None:
    """No progress is told."""


@dataclass(frozen=True)
class Tiling:
    """Tiles with which fields are covered.

    Attributes:
        side: of a tile, in pixels of the field; memory grows with its square.
        overlap: of neighbouring tiles, in pixels, at least; up to half a tile.
    """

    side: int = 1024
    overlap: int = 256

    def __post_init__(self) -> None:
        if not 1 <= self.overlap <= self.side // 2:
            raise ConfigError(f"an overlap of {self.overlap} px must be 1 px to half of a tile of {self.side} px")

    def tiles(self, size: tuple[int, int]) -> Iterator[tuple[Slices, tuple[Values, Values]]]:
        """Rows and columns of the tiles that cover a field, and weights of the rows and of the columns of each.

        Their products add up to 1 at each pixel.
        """
        (down, rows), (across, columns) = (axis(length, min(self.side, length), self.overlap) for length in size)
        for y, vertical in zip(down, rows.numpy(), strict=True):
            for x, horizontal in zip(across, columns.numpy(), strict=True):
                place = slice(y, y + len(vertical)), slice(x, x + len(horizontal))
                yield place, (vertical, horizontal)


class LargeObject:
    """The probability of one object over a field: a first one, and what is changed where something was said.

    As in `TiledEngine`: a tile is segmented from the first probability and from what was said within its window, turn
    by turn, and blended with its neighbours; others keep the first probability. What is in memory is a tile. The first
    probability is the given one, or the engine's own if it has one, made in tiles that hold tissue or in which
    something was said; else there is none, and tiles in which nothing was said cost nothing. An engine that works in
    tiles works in its own.

    Args:
        session: a loaded checkpoint.
        field: what is segmented.
        folder: for files as large as what was changed; they are in use until `close`.
        tiling: of the field.
        first: gives the first probability, or mask, of some rows and columns.
    """

    def __init__(
        self,
        session: Session,
        field: Field,
        folder: Path,
        tiling: Tiling | None = None,
        first: Callable[[Slices], Values] | None = None,
    ) -> None:
        engine, self.tiling = session.engine, tiling or Tiling()
        if isinstance(engine, TiledEngine):
            self.tiling, engine = Tiling(engine.side, engine.overlap), engine.engine
        self.field, self.engine = field, engine
        self._session = Session(engine, session.device, undoable=False, mpp=session.mpp)
        self._given = first
        folder.mkdir()
        self._first: Raster | None = None
        if first is None and engine.warmup == 0:
            self._first = Raster(folder / "first.h5", field.size, np.float32)
        self._changes = Raster(folder / "changes.h5", field.size, np.float32)

    def segment(
        self, said: Said, tissue: Callable[[Slices], bool] = lambda place: True, progress: Progress = nothing
    ) -> None:
        """Segment once, from all that was said.

        Args:
            said: in pixels of the field; for the engine without its tiles.
            tissue: whether there is any in these rows and columns.
            progress: told tile by tile.
        """
        # Their numbers are all that is kept of tiles.
        spoken, starting = set(), set()
        for number, (place, _) in enumerate(self.tiling.tiles(self.field.size)):
            if said.reaches(place):
                spoken.add(number)
            if self._first is not None and (number in spoken or tissue(place)):
                starting.add(number)
        total, done = len(spoken) + len(starting), 0
        progress(done, total)
        if self._first is not None:
            for number, (place, weights) in enumerate(self.tiling.tiles(self.field.size)):
                if number in starting:
                    self._first.add(place, self._segmented(place, None, []) * np.outer(*weights))
                    progress(done := done + 1, total)
        for number, (place, weights) in enumerate(self.tiling.tiles(self.field.size)):
            if number in spoken:
                within = said.within(place)
                if within:
                    first = self._before(place)
                    after = self._segmented(place, first, within)
                    self._changes.add(place, (after if first is None else after - first) * np.outer(*weights))
                progress(done := done + 1, total)

    def probability(self, place: Slices) -> Values:
        """(h, w) of these rows and columns."""
        first = self._before(place)
        changes: Values = self._changes.read(place)
        return np.clip(changes if first is None else first + changes, 0, 1)

    def mask(self, place: Slices) -> NDArray[np.bool_]:
        """(h, w) of these rows and columns: the engine's own way from probability to mask."""
        probability = torch.from_numpy(self.probability(place))[None, None].to(self._session.device)
        silent = Interactions.empty(1, (probability.shape[-2], probability.shape[-1]), probability.device)
        return np.asarray(self.engine.mask({"probability": probability}, silent)[0, 0].cpu().numpy(), np.bool_)

    def close(self) -> None:
        """Free the files."""
        for each in (self._first, self._changes):
            if each is not None:
                each.close()

    def _before(self, place: Slices) -> Values | None:
        if self._given is not None:
            return self._given(place)
        return None if self._first is None else np.clip(self._first.read(place), 0, 1)

    def _segmented(self, place: Slices, first: Values | None, turns: Sequence[Interactions]) -> Values:
        session = self._session
        pixels = torch.from_numpy(np.require(self.field.read(place), requirements="W")).permute(2, 0, 1)[None]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an unknown mpp, once for each tile
            session.set_image(pixels, _batch(first), self.field.mpp)
        for turn, each in enumerate(turns):
            session.add(each.to(session.device).at(turn))
        values: Values = session.probability[0, 0].cpu().numpy()
        return values


def _batch(first: Values | None) -> Tensor | None:
    return None if first is None else torch.from_numpy(first)[None, None]

"""Images larger than those an engine was trained on, in overlapping tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from zoo.errors import ConfigError
from zoo.inference.change import Edit
from zoo.inference.engine import Change, Engine, State
from zoo.interactions import PADDING, Interactions
from zoo.ops.frame import Frame, Slices
from zoo.ops.places import shared
from zoo.ops.rows import ends, rows_of

At = tuple[Tensor, Tensor]
"""Sample and tile indices (n,) of n tiles."""


class TiledEngine(Engine):
    """Lets an engine refine those tiles of a large image in which something was said.

    A tile is segmented from the first probability (the engine's own, made in tiles, or the given mask) and from what
    was said within its window; others keep the first probability, so that nothing changes beyond the windows in which
    something was said. Tiles are blended by weights that fall to nothing towards a tile's edge and add up to 1. A turn
    computes only the tiles in which it says something new. An image that is no larger than a tile goes to the engine
    as it is.

    Args:
        engine: its steps may depend on the first probability, but not on later ones.
        side: of a tile, in pixels.
        overlap: of neighbouring tiles, in pixels, at least; up to half a tile.
        batch: tiles that the engine is given at a time.

    Raises:
        ConfigError: the overlap does not fit.
    """

    def __init__(self, engine: Engine, side: int, overlap: int, batch: int = 4) -> None:
        if not 1 <= overlap <= side // 2:
            raise ConfigError(f"overlap={overlap} must be at least 1 px and at most half of a tile of {side} px")
        self.engine, self.side, self.overlap, self.batch = engine, side, overlap, batch
        self.resemble(engine)

    def start(self, image: Tensor, mask: Tensor | None = None) -> State:
        """The first probability, and for each tile what it changes and how much was said in it: nothing yet."""
        if max(image.shape[-2:]) <= self.side:
            return self.engine.start(image, mask)
        tiles = self._tiles(image)
        values = image.new_zeros(len(image), len(tiles.corners), *tiles.size)
        said = torch.zeros(values.shape[:2], dtype=torch.long, device=image.device)
        if mask is None:
            parts = values.clone()
            every = said == 0
            for done, at in enumerate(self._chunks(every), 1):
                parts[at] = self.engine.start(tiles.cut(image, at))["probability"][:, 0]
                if self.progress is not None:
                    self.progress(min(done * self.batch, every.numel()), every.numel())
            mask = tiles.blend(parts, torch.zeros_like(image[:, :1]), every.any(0)).clamp(0, 1)
        return {"probability": mask, "first": mask, "changes": values, "said": said}

    def step(self, image: Tensor, interactions: Interactions, state: State) -> State:
        """Segment the tiles in which more was said than before, and blend all."""
        return self.change(image, interactions, state).applied(state)

    def change(self, image: Tensor, interactions: Interactions, state: State) -> Change:
        """The windows of these tiles."""
        if "changes" not in state:
            return self.engine.change(image, interactions, state)
        tiles = self._tiles(image)
        said = tiles.amount(interactions)
        new: dict[tuple[int, int], Tensor] = {}
        for at in self._chunks(said != state["said"]):
            part, first = tiles.cut(image, at), tiles.cut(state["first"], at)
            after = self.engine.step(part, tiles.within(interactions, at), self.engine.start(part, first))
            pairs = zip(at[0].tolist(), at[1].tolist(), strict=True)
            new |= dict(zip(pairs, (after["probability"] - first)[:, 0], strict=True))
        used = (said > 0).cpu()
        changes, windows = [], []
        for (sample, tile), values in new.items():
            everything = (slice(tile, tile + 1), *(slice(0, side) for side in tiles.size))
            changes.append(Edit(sample, everything, values[None]))
            tensors = {
                other: new.get((sample, other), state["changes"][sample, other])
                for other in tiles.touching(tile)
                if used[sample, other]
            }
            place = tiles.place(tile)
            blended = tiles.blend_in(place, tensors, state["first"][sample, 0, *place]).clamp(0, 1)
            windows.append(Edit(sample, place, blended[None]))
        return Change({"said": said}, {"probability": tuple(windows), "changes": tuple(changes)})

    def mask(self, state: State, interactions: Interactions) -> Tensor:
        """The engine's own."""
        return self.engine.mask(state, interactions)

    def _tiles(self, image: Tensor) -> Tiles:
        return Tiles.over((image.shape[-2], image.shape[-1]), self.side, self.overlap)

    def _chunks(self, which: Tensor) -> Iterator[At]:
        """The tiles in `which` (B, T) bool, a few at a time."""
        sample, tile = which.nonzero(as_tuple=True)
        for first in range(0, len(sample), self.batch):
            yield sample[first : first + self.batch], tile[first : first + self.batch]


@dataclass(frozen=True)
class Tiles:
    """Tiles of one size that cover an image of (H, W) pixels.

    Attributes:
        corners: y and x of each tile's first pixel.
        size: height and width of each, in pixels.
        weights: (rows, h) and (columns, w) float32: their products over all tiles add up to 1 at every pixel.
        image_size: (H, W).
    """

    corners: tuple[tuple[int, int], ...]
    size: tuple[int, int]
    weights: tuple[Tensor, Tensor]
    image_size: tuple[int, int]

    @classmethod
    def over(cls, image_size: tuple[int, int], side: int, overlap: int) -> Tiles:
        """Tiles of `side` pixels, or as long as the image where it is shorter."""
        (rows, down), (columns, across) = (axis(length, min(side, length), overlap) for length in image_size)
        corners = tuple((y, x) for y in rows for x in columns)
        return cls(corners, (down.shape[1], across.shape[1]), (down, across), image_size)

    def cut(self, images: Tensor, at: At) -> Tensor:
        """These tiles (n, C, h, w) of images (B, C, H, W)."""
        pairs = zip(at[0].tolist(), at[1].tolist(), strict=True)
        return torch.stack([images[sample][:, *self.place(tile)] for sample, tile in pairs])

    def blend(self, values: Tensor, onto: Tensor, which: Tensor) -> Tensor:
        """(B, 1, H, W): what the tiles in `which` (T,) bool say (B, T, h, w), weighted and added to `onto`."""
        out = onto.clone()
        down, across = (weights.to(values.device) for weights in self.weights)
        for tile in which.nonzero()[:, 0].tolist():
            row, column = divmod(tile, len(across))
            out[:, 0, *self.place(tile)] += values[:, tile] * (down[row][:, None] * across[column])
        return out

    def blend_in(self, place: Slices, values: dict[int, Tensor], onto: Tensor) -> Tensor:
        """What `blend` gives in a part of the image: `onto` (h', w') there, and values (h, w) of some tiles."""
        out = onto.clone()
        down, across = (weights.to(out.device) for weights in self.weights)
        for tile in sorted(values):
            row, column = divmod(tile, len(across))
            common = shared(self.place(tile), place)
            if common is None:
                continue
            here, there = common
            out[there] += values[tile][here] * (down[row][here[0]][:, None] * across[column][here[1]])
        return out

    def touching(self, tile: int) -> list[int]:
        """The tiles that share pixels with this one, and itself."""
        corner = self.corners[tile]
        near = (
            all(abs(a - b) < side for a, b, side in zip(corner, other, self.size, strict=True))
            for other in self.corners
        )
        return [number for number, close in enumerate(near) if close]

    def place(self, tile: int) -> Slices:
        """Rows and columns of a tile."""
        y, x = self.corners[tile]
        return slice(y, y + self.size[0]), slice(x, x + self.size[1])

    def amount(self, interactions: Interactions) -> Tensor:
        """(B, T) how much was said in each tile: a number that grows when more is said."""
        index = torch.arange(len(interactions) * len(self.corners), device=interactions.device)
        at = (index // len(self.corners), index % len(self.corners))
        said = self.within(replace(interactions, strokes=None), at)
        amount = (said.points[..., 2] >= 0).sum(1) + (said.boxes[..., 4] >= 0).sum(1)
        amount = amount.view(len(interactions), -1)
        if interactions.strokes is None:
            return amount
        # All but the rows in which something was drawn adds nothing.
        first, last = ends(rows_of(interactions.strokes).flatten(0, 1).any(0))
        rows, columns = (self._covered(axis).to(index.device) for axis in (0, 1))
        drawn = rows[:, first:last] @ (interactions.strokes[..., first:last, :].double() @ columns.mT)
        return amount + drawn.sum(1).flatten(1).long()

    def within(self, interactions: Interactions, at: At) -> Interactions:
        """What lies in these tiles, in their pixels: clicks, the parts of strokes, boxes that reach into them."""
        y, x = torch.tensor(self.corners, dtype=torch.float64, device=at[1].device)[at[1]].unbind(1)
        frame = Frame(x, y, torch.ones_like(x), self.size)
        said = replace(interactions, strokes=None).select(at[0]).through(frame)
        height, width = self.size
        inside = (said.points[..., :2] >= 0) & (said.points[..., :2] < said.points.new_tensor([width, height]))
        label = said.points[..., 2].masked_fill(~inside.all(-1), PADDING)
        reaching = (said.boxes[..., 2:4] > 0) & (said.boxes[..., :2] < said.boxes.new_tensor([width, height]))
        strokes = None if interactions.strokes is None else self.cut(interactions.strokes, at)
        return Interactions(
            torch.cat([said.points[..., :2], label[..., None], said.points[..., 3:]], -1),
            self.size,
            strokes,
            said.boxes.masked_fill(~reaching.all(-1, keepdim=True), PADDING),
        )

    def _covered(self, axis: int) -> Tensor:
        """(rows, H) or (columns, W) float64: 1 where the tiles of a row or column lie along this axis."""
        first = torch.tensor(sorted({corner[axis] for corner in self.corners}))[:, None]
        place = torch.arange(self.image_size[axis])
        return ((place >= first) & (place < first + self.size[axis])).double()


def axis(length: int, side: int, overlap: int) -> tuple[list[int], Tensor]:
    """First pixels of evenly spread tiles along an axis, and their weights (count, side) float32.

    They take memory as the axis does, however many tiles there are.
    """
    count = 1 if length <= side else -(-(length - overlap) // (side - overlap))
    starts = [round(i * (length - side) / max(count - 1, 1)) for i in range(count)]
    place = torch.arange(side, dtype=torch.float64) + 0.5
    raw = []
    for first in starts:
        # At the image's edge there is no neighbour to give way to.
        rise = place / overlap if first > 0 else torch.ones_like(place)
        fall = (side - place) / overlap if first + side < length else torch.ones_like(place)
        raw.append(torch.minimum(rise, fall).clamp(max=1))
    total = torch.zeros(length, dtype=torch.float64)
    for first, weights in zip(starts, raw, strict=True):
        total[first : first + side] += weights
    shares = [weights / total[first : first + side] for first, weights in zip(starts, raw, strict=True)]
    return starts, torch.stack(shares).float()

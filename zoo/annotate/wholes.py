"""Objects as they leave the annotator: each with what was segmented closer within it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import torch

from zoo.annotate.document import History
from zoo.annotate.grid import EDGE, MOST_PIXELS, PixelGrid
from zoo.annotate.journal import Kept
from zoo.annotate.objects import AnnotatedObjects
from zoo.annotate.shapes import Geometry, Mask, bounding_box, bounds, geometry_of, mask_of
from zoo.inference.children import enlarged
from zoo.ops.frame import Frame


@dataclass(frozen=True)
class Whole:
    """An object that is nobody's child, with all its children's parts.

    Attributes:
        kept: the object.
        history: what was said of it.
        grid: pixels of its mask: those of the closest child.
        mask: (H, W), with the children's masks in their regions, those begun later on top.
        children: number of these.
        outline: that the object was begun with, where nothing was said of it since: the mask is only as fine as its
            checkpoint sees.
    """

    kept: Kept
    history: History
    grid: PixelGrid
    mask: Mask
    children: int = 0
    outline: Geometry | None = None

    @property
    def name(self) -> str | None:
        """Its class."""
        name: str | None = self.history.about["class"]
        return name

    @property
    def exact(self) -> Geometry | None:
        """What `mask_of` makes the mask of, in any pixels; None where it is empty."""
        return geometry_of(self.mask, self.grid, exact=True) if self.outline is None else self.outline

    def finest(self) -> tuple[Mask, PixelGrid]:
        """The mask as fine as the image, where its outline is known, and where its pixels lie."""
        if self.outline is None:
            return self.mask, self.grid
        x, y, w, h = self.grid.region
        x0, y0, x1, y1 = bounds(self.outline)
        left, top = floor(max(x, x0)), floor(max(y, y0))
        right, bottom = ceil(min(x + w, x1)), ceil(min(y + h, y1))
        area = max(0, right - left) * max(0, bottom - top)
        down = max(1.0, (area / MOST_PIXELS) ** 0.5)
        if area == 0 or down >= self.grid.downsample:
            return self.mask, self.grid
        mpp = None if self.grid.mpp is None else self.grid.mpp / self.grid.downsample * down
        grid = PixelGrid((left, top), down, (ceil((bottom - top) / down), ceil((right - left) / down)), mpp)
        return mask_of(self.outline, grid), grid


Read = tuple[Kept, History, PixelGrid, Mask]


def wholes(objects: AnnotatedObjects, image: str) -> list[Whole]:
    """All objects of an image that are nobody's child, in the order in which they were begun."""
    read = {identity: objects.read(identity) for identity in objects.journal.of_image(image)}
    closer: dict[str, list[Read]] = {}
    for identity, one in read.items():
        first = _first(identity, read)
        if first != identity:
            closer.setdefault(first, []).append(one)
    return [
        _joined(one, closer.get(identity, [])) for identity, one in read.items() if _first(identity, read) == identity
    ]


def zoomed(mask: Mask, low: PixelGrid, grid: PixelGrid) -> Mask:
    """(H, W): a mask in the pixels of another grid, enlarged as ZoomISEG does it: cubic, then above 0.5.

    Beyond the region that the mask is of, nothing is set.
    """
    x, y = (
        torch.tensor([(there - start) / low.downsample], dtype=torch.float64)
        for there, start in zip(grid.origin, low.origin, strict=True)
    )
    frame = Frame(x, y, torch.tensor([low.downsample / grid.downsample], dtype=torch.float64), grid.size)
    found: Mask = enlarged(torch.from_numpy(mask)[None, None], frame)[0, 0].numpy()
    # A frame repeats the edge.
    rows, columns = covered(low, grid)
    inside = found[rows, columns].copy()
    found = found & False
    found[rows, columns] = inside
    return found


def covered(region: PixelGrid, grid: PixelGrid) -> tuple[slice, slice]:
    """The rows and columns of a grid whose pixels' centres lie in another one's region."""
    x, y, w, h = region.region
    found = []
    for start, length, origin, most in zip((y, x), (h, w), reversed(grid.origin), grid.size, strict=True):
        first = ceil((start - origin) / grid.downsample - 0.5 - EDGE)
        last = floor((start + length - origin) / grid.downsample - 0.5 + EDGE) + 1
        first = min(max(first, 0), most)
        found.append(slice(first, min(max(last, first), most)))
    return found[0], found[1]


def _first(identity: str, read: dict[str, Read]) -> str:
    """The object that is nobody's child in which another one lies."""
    while (parent := read[identity][0].made.get("parent")) in read:
        identity = parent
    return identity


def _joined(one: Read, closer: Sequence[Read]) -> Whole:
    kept, history, grid, mask = one
    if not closer:
        as_made = all(history.about[key] == kept.made.get(key) for key in ("checkpoint", "threshold"))
        outline = kept.made.get("start") if as_made and not history.now else None
        return Whole(kept, history, grid, mask, outline=outline)
    box = bounding_box(mask)
    regions = [each.region for _, _, each, _ in closer] + ([] if box is None else [grid.part(*box).region])
    finest = min((each for _, _, each, _ in closer), key=lambda each: each.downsample)
    target = _around(regions, finest)
    whole = zoomed(mask, grid, target)
    for _, _, each, part in closer:
        rows, columns = covered(each, target)
        inside = target.part(rows, columns)
        exact = geometry_of(part, each, exact=True)
        whole[rows, columns] = False if exact is None else mask_of(exact, inside)
    return Whole(kept, history, target, whole, len(closer))


def _around(regions: Sequence[tuple[float, float, float, float]], finest: PixelGrid) -> PixelGrid:
    """Pixels that go on from a grid's and hold all regions; coarser where these would be too many."""
    x0, y0 = (min(each[k] for each in regions) for k in (0, 1))
    x1, y1 = (max(each[k] + each[k + 2] for each in regions) for k in (0, 1))
    down = max(finest.downsample, ((x1 - x0) * (y1 - y0) / MOST_PIXELS) ** 0.5)
    starts = [
        start + floor((low - start) / down + EDGE) * down for low, start in zip((x0, y0), finest.origin, strict=True)
    ]
    size = tuple(ceil((high - start) / down - EDGE) for high, start in zip((y1, x1), reversed(starts), strict=True))
    mpp = None if finest.mpp is None else finest.mpp / finest.downsample * down
    return PixelGrid((starts[0], starts[1]), down, (size[0], size[1]), mpp)

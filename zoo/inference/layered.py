"""Maps of large images that are kept as the crops in which they were predicted, until somebody reads them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_map_only

from zoo.ops.frame import Frame, Slices
from zoo.ops.places import holds, shared
from zoo.ops.rows import box_in

# Answered from the size, without the numbers.
ABOUT_IT = {
    getattr(Tensor, name).__get__ for name in ("shape", "dtype", "device", "ndim", "requires_grad", "is_cuda", "layout")
} | {Tensor.size, Tensor.dim, Tensor.numel, Tensor.__len__, Tensor.is_floating_point, Tensor.is_complex}


@dataclass(frozen=True)
class KeptCrop:
    """What one crop says of one sample.

    Attributes:
        sample: whose.
        frame: from the image to the crop, of one sample.
        place: rows and columns of the image whose pixels' centres lie in the crop.
        values: (C, h, w), the crop.
    """

    sample: int
    frame: Frame
    place: Slices
    values: Tensor

    def read(self, place: Slices, size: tuple[int, int]) -> Tensor:
        """(C, h, w) of these rows and columns, in its place, of an image of `size`."""
        return self.frame.inverse(size).crop(self.values[None], part=place)[0]

    def bounds(self, threshold: float, later: Sequence[KeptCrop]) -> Slices | None:
        """Rows and columns beyond which no pixel is above a threshold that later layers don't hide; a little large."""
        above = (self.values > threshold).any(0)
        for each in later:
            above[self._within(each.place)] = False
        cells = box_in(above)
        if cells is None:
            return None
        found = []
        for axis, start, limit in zip(cells, self._starts, self.place, strict=True):
            # A pixel depends on the crop's pixels whose centres lie less than one of them away.
            low = math.floor(start + (axis.start - 0.5) / self._scale)
            high = math.ceil(start + (axis.stop + 0.5) / self._scale)
            found.append(slice(max(low, limit.start), min(high, limit.stop)))
        return (found[0], found[1]) if all(axis.start < axis.stop for axis in found) else None

    def _within(self, place: Slices) -> Slices:
        """The crop's rows and columns on which only pixels of a place depend."""
        found = []
        for hidden, own, start, side in zip(place, self.place, self._starts, self.frame.size, strict=True):
            low = math.ceil((hidden.start - start) * self._scale + 0.5) if hidden.start > own.start else 0
            high = math.floor((hidden.stop - start) * self._scale - 0.5) if hidden.stop < own.stop else side
            found.append(slice(max(low, 0), max(high, 0)))
        return found[0], found[1]

    @property
    def _scale(self) -> float:
        return float(self.frame.scale)

    @property
    def _starts(self) -> tuple[float, float]:
        return float(self.frame.y0), float(self.frame.x0)


class Layered(Tensor):
    """A map (B, C, H, W) that is 0 where no layer lies.

    It takes memory as its layers do, however large the image is. It never changes; boxes of it, samples and what a
    frame shows of it are cheap; all other functions of torch are given the whole map, made anew each time.

    Args:
        shape: (B, C, H, W).
        layers: later ones on top.
        like: its dtype and device are the map's.
    """

    layers: tuple[KeptCrop, ...]

    @staticmethod
    def __new__(cls, shape: Sequence[int], layers: Sequence[KeptCrop], like: Tensor) -> Layered:  # noqa: D102
        made = Tensor._make_wrapper_subclass(cls, tuple(shape), dtype=like.dtype, device=like.device)  # type: ignore[attr-defined]
        new: Layered = made
        new.layers = tuple(layers)
        return new

    @classmethod
    def of(cls, values: Tensor, around: int) -> Layered:
        """One layer for each sample of (B, C, H, W) that is 0 almost everywhere: what is not 0, and pixels around."""
        size, layers = (values.shape[-2], values.shape[-1]), []
        for i, each in enumerate(values):
            found = box_in(each != 0)
            if found is None:
                continue
            rows, columns = (
                slice(max(axis.start - around, 0), min(axis.stop + around, length))
                for axis, length in zip(found, size, strict=True)
            )
            sides = (rows.stop - rows.start, columns.stop - columns.start)
            y0, x0 = torch.tensor([[rows.start], [columns.start]], dtype=torch.float64, device=values.device)
            frame = Frame(x0, y0, torch.ones_like(x0), sides)
            layers.append(KeptCrop(i, frame, (rows, columns), each[:, rows, columns].clone()))
        return cls(values.shape, layers, values)

    def covered(self, frame: Frame, crops: Tensor) -> Layered:
        """With one crop (B, C, h, w) for each sample on top; what can't be seen any more is dropped."""
        layers = self.layers
        for i, values in enumerate(crops):
            place = frame.reached(i, self._image)
            if place is not None:
                layers = tuple(each for each in layers if each.sample != i or not holds(place, each.place))
                one = frame.select(torch.tensor([i], device=frame.x0.device))
                layers = (*layers, KeptCrop(i, one, place, values))
        return Layered(self.shape, layers, self)

    def whole(self) -> Tensor:
        """All of it."""
        height, width = self._image
        return self.part((slice(0, height), slice(0, width)))

    def part(self, place: Slices) -> Tensor:
        """(B, C, h, w) of these rows and columns, the same as in the whole."""
        sides = [axis.stop - axis.start for axis in place]
        found = torch.zeros(*self.shape[:2], *sides, dtype=self.dtype, device=self.device)
        for i in range(len(self)):
            for layer in _seen(self._of(i), place):
                if (common := shared(place, layer.place)) is not None:
                    rows, columns = (
                        slice(axis.start + own.start, axis.stop + own.start)
                        for axis, own in zip(common[1], layer.place, strict=True)
                    )
                    found[i, :, *common[0]] = layer.read((rows, columns), self._image)
        return found

    def crop(self, frame: Frame) -> Tensor:
        """What a frame shows of it, (B, C, h, w): each layer resampled once, whatever its scale is."""
        found = torch.zeros(*self.shape[:2], *frame.size, dtype=self.dtype, device=self.device)
        every = (slice(0, frame.size[0]), slice(0, frame.size[1]))
        for i in range(len(self)):
            one = frame.select(torch.tensor([i], device=frame.x0.device))
            shown = [(layer, _cells(one, layer.place, self._image)) for layer in self._of(i)]
            last = max((k for k, (_, cells) in enumerate(shown) if cells == every), default=0)
            for layer, cells in shown[last:]:
                if cells is not None:
                    own = layer.frame
                    x0, y0 = (one.x0 - own.x0) * own.scale, (one.y0 - own.y0) * own.scale
                    between = Frame(x0, y0, one.scale / own.scale, frame.size)
                    found[i, :, *cells] = between.crop(layer.values[None], part=cells)[0]
        return found

    def bounds(self, threshold: float) -> Tensor:
        """(B, 4) float64 x0, y0, x1, y1 around the pixels above a threshold, a little large; inf, -inf without any."""
        out = torch.tensor([[torch.inf, torch.inf, -torch.inf, -torch.inf]], dtype=torch.float64).repeat(len(self), 1)
        for i in range(len(self)):
            layers = self._of(i)
            for k, layer in enumerate(layers):
                place = layer.bounds(threshold, layers[k + 1 :])
                if place is not None:
                    rows, columns = place
                    new = out.new_tensor([columns.start, rows.start, columns.stop, rows.stop])
                    out[i] = torch.cat([torch.minimum(out[i, :2], new[:2]), torch.maximum(out[i, 2:], new[2:])])
        return out.to(self.device)

    @property
    def _image(self) -> tuple[int, int]:
        return self.shape[-2], self.shape[-1]

    def _of(self, sample: int) -> list[KeptCrop]:
        return [layer for layer in self.layers if layer.sample == sample]

    def clone(self, **arguments: Any) -> Layered:
        """Itself, since it never changes."""
        return self

    def to(self, *to: Any, **arguments: Any) -> Tensor:
        """Itself where only its own type is asked for."""
        return self if to == (self.dtype,) and not arguments else self.whole().to(*to, **arguments)

    def index_copy(self, dim: int, index: Tensor, source: Tensor) -> Tensor:  # type: ignore[override]
        """With other samples in place of some."""
        if dim or not isinstance(source, Layered):
            return self.whole().index_copy(dim, index, source)
        numbers = index.tolist()
        kept = [layer for layer in self.layers if layer.sample not in numbers]
        moved = [replace(layer, sample=numbers[layer.sample]) for layer in source.layers]
        return Layered(self.shape, kept + moved, self)

    def __getitem__(self, index: Any) -> Tensor:
        """Boxes and samples are read alone."""
        if isinstance(index, Tensor) and index.ndim == 1:
            numbers = (index.nonzero()[:, 0] if index.dtype == torch.bool else index).tolist()
            layers = [replace(each, sample=new) for new, old in enumerate(numbers) for each in self._of(old)]
            return Layered((len(numbers), *self.shape[1:]), layers, self)
        place = _box(index)
        return self.whole()[index] if place is None else self.part(place)

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        """Whatever it doesn't know itself is done with the whole."""
        if func in ABOUT_IT:
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        changes = name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))
        if changes and args and isinstance(args[0], Layered):
            raise TypeError(f"{name} can't change a map that is kept in layers")
        return func(*_wholes(args), **_wholes(kwargs or {}))

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        """As `__torch_function__`, for what is called past it."""
        return func(*_wholes(args), **_wholes(kwargs or {}))


def averaged(image: Tensor, frame: Frame) -> Tensor:
    """What a frame shows of whole images (B, C, H, W), averaged in blocks first where these are far larger."""
    block = max(1, int(1 / float(frame.scale.max()) + 1e-9))
    if block == 1:
        return frame.crop(image)
    blocks = F.avg_pool2d(image, block, ceil_mode=True, count_include_pad=False)
    return Frame(frame.x0 / block, frame.y0 / block, frame.scale * block, frame.size).crop(blocks)


def _seen(layers: list[KeptCrop], place: Slices) -> list[KeptCrop]:
    """Those of a place that are not hidden by a later one that holds all of it."""
    last = max((k for k, layer in enumerate(layers) if holds(layer.place, place)), default=0)
    return layers[last:]


def _cells(frame: Frame, place: Slices, size: tuple[int, int]) -> Slices | None:
    """Rows and columns of a crop whose centres lie in a place of the image; beyond its edges, they are repeated."""
    found = []
    starts, scale = (float(frame.y0), float(frame.x0)), float(frame.scale)
    for axis, start, side, length in zip(place, starts, frame.size, size, strict=True):
        low = math.ceil((axis.start - start) * scale - 0.5) if axis.start > 0 else 0
        high = math.ceil((axis.stop - start) * scale - 0.5) if axis.stop < length else side
        found.append(slice(max(low, 0), min(high, side)))
    return (found[0], found[1]) if all(axis.start < axis.stop for axis in found) else None


def _wholes(given: Any) -> Any:
    return tree_map_only(Layered, Layered.whole, given)


def _box(index: Any) -> Slices | None:
    """Rows and columns that an index `..., rows, columns` names; None where it isn't one."""
    if not isinstance(index, tuple) or len(index) != 3 or index[0] is not Ellipsis:
        return None
    rows, columns = index[1:]
    if not all(isinstance(axis, slice) and None not in (axis.start, axis.stop) for axis in (rows, columns)):
        return None
    return None if rows.step or columns.step else (rows, columns)

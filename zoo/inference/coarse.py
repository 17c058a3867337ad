"""Maps of large images that are known at the scale of a view of the whole, until somebody reads them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_map_only

from zoo.inference.change import Edit, Edits, box_of, selected
from zoo.ops.frame import Frame, Slices
from zoo.ops.places import covering, holds, part, shared, shifted

# Answered from the size, without the numbers.
ABOUT_IT = {
    getattr(Tensor, name).__get__ for name in ("shape", "dtype", "device", "ndim", "requires_grad", "is_cuda", "layout")
} | {Tensor.size, Tensor.dim, Tensor.numel, Tensor.__len__, Tensor.is_floating_point, Tensor.is_complex}


class Coarse(Tensor):
    """A map (B, C, H, W) as a view of the whole image has it, with windows in the image's own pixels.

    It takes memory as the view and its windows do. Boxes of it, samples and copies are cheap; all other functions of
    torch are given the whole map, made anew each time.

    Args:
        seen: (B, C, h, w) float, in the view; never changed.
        back: from the view to the image, bilinear.
        windows: what is known better, later ones on top.
    """

    seen: Tensor
    back: Frame
    windows: Edits

    @staticmethod
    def __new__(cls, seen: Tensor, back: Frame, windows: Edits = ()) -> Coarse:  # noqa: D102
        size = (*seen.shape[:2], *back.size)
        new: Coarse = Tensor._make_wrapper_subclass(cls, size, dtype=seen.dtype, device=seen.device)  # type: ignore[attr-defined]
        new.seen, new.back, new.windows = seen, back, windows
        return new

    def whole(self) -> Tensor:
        """All of it."""
        return self.part((slice(0, self.back.size[0]), slice(0, self.back.size[1])))

    def part(self, place: Slices) -> Tensor:
        """(B, C, h, w) of these rows and columns, the same as in the whole."""
        windows = self.windows
        hiding = [k for k, window in enumerate(windows) if len(self) == 1 and holds(_place(window), place)]
        if hiding:
            # Nobody sees what lies below.
            windows = windows[hiding[-1] :]
            found = windows[0].values.new_empty(1, self.shape[1], *(axis.stop - axis.start for axis in place))
        else:
            found = self.back.crop(self.seen, part=place)
        for window in windows:
            if (common := shared(place, _place(window))) is not None:
                found[window.sample, :, *common[0]] = window.values[:, *common[1]]
        return found

    def made_in(self, frame: Frame) -> bool:
        """Whether a frame is that of the view."""
        back = frame.inverse(self.back.size)
        alike = (torch.equal(getattr(back, name), getattr(self.back, name)) for name in ("x0", "y0", "scale"))
        return frame.size == tuple(self.seen.shape[-2:]) and all(alike)

    def crop(self, frame: Frame) -> Tensor:
        """What a frame shows of it; where the frame is the view's, as it was seen, and windows averaged into it."""
        if not self.made_in(frame):
            every = (slice(0, frame.size[0]), slice(0, frame.size[1]))
            samples = torch.arange(len(self)).split(1)
            return torch.cat([self._select(i)._cropped(frame.select(i), every) for i in samples])
        out = self.seen.clone() if self.windows else self.seen
        for window in self.windows:
            index = torch.tensor([window.sample], device=out.device)
            one = frame.select(index)
            scale, starts = float(one.scale), (float(one.y0), float(one.x0))
            rows, columns = (
                slice(max(0, math.floor((axis.start - start) * scale) - 1), math.ceil((axis.stop - start) * scale) + 1)
                for axis, start in zip(window.place, starts, strict=True)
            )
            cells = (
                slice(rows.start, min(rows.stop, out.shape[-2])),
                slice(columns.start, min(columns.stop, out.shape[-1])),
            )
            out[window.sample, :, *cells] = self._select(index)._cropped(one, cells)[0]
        return out

    def _cropped(self, frame: Frame, cells: Slices) -> Tensor:
        """(1, C, h, w): these pixels of a crop of one sample, from no more than they depend on."""
        there = part(frame, cells)
        place = covering(there, self.back.size)
        return shifted(there, place).crop(self.part(place))

    def around(self, i: int, threshold: float) -> Slices | None:
        """Rows and columns of the image beyond which the view of sample i has no pixel above a threshold."""
        above = (self.seen[i] > threshold).any(0)
        place = box_of(above.any(1), above.any(0))
        if place is None:
            return None
        scale, starts = float(self.back.scale[i]), (float(self.back.y0[i]), float(self.back.x0[i]))
        rows, columns = (
            # A pixel lies between the centres of the view's pixels on which it depends.
            slice(max(0, math.floor((axis.start - 1 - start) * scale)), math.ceil((axis.stop + 1 - start) * scale))
            for axis, start in zip(place, starts, strict=True)
        )
        rows = slice(rows.start, min(rows.stop, self.back.size[0]))
        columns = slice(columns.start, min(columns.stop, self.back.size[1]))
        return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None

    def clone(self, **arguments: Any) -> Coarse:
        """One that changes by itself."""
        return Coarse(self.seen, self.back, self.windows)

    def to(self, *to: Any, **arguments: Any) -> Tensor:
        """Itself where only its own type is asked for."""
        return self if to == (self.dtype,) and not arguments else self.whole().to(*to, **arguments)

    def index_copy(self, dim: int, index: Tensor, source: Tensor) -> Tensor:  # type: ignore[override]
        """With other samples in place of some."""
        if dim or not isinstance(source, Coarse):
            return self.whole().index_copy(dim, index, source)
        numbers = index.tolist()
        kept = tuple(window for window in self.windows if window.sample not in numbers)
        moved = tuple(replace(window, sample=numbers[window.sample]) for window in source.windows)
        frame, other = self.back, source.back
        x0, y0, scale = (
            getattr(frame, name).index_copy(0, index, getattr(other, name)) for name in ("x0", "y0", "scale")
        )
        seen = self.seen.index_copy(0, index, source.seen)
        return Coarse(seen, Frame(x0, y0, scale, frame.size), kept + moved)

    def __getitem__(self, index: Any) -> Tensor:
        """Boxes and samples are read alone."""
        if isinstance(index, Tensor) and index.ndim == 1:
            return self._select(index.nonzero()[:, 0] if index.dtype == torch.bool else index)
        if (box := _box(index)) is None:
            return self.whole()[index]
        sample, place = box
        if sample is None:
            return self.part(place)
        return self._select(torch.tensor([sample], device=self.device)).part(place)[0]

    def _select(self, index: Tensor) -> Coarse:
        return Coarse(self.seen[index], self.back.select(index), selected(self.windows, index))

    def __setitem__(self, index: Any, values: Tensor) -> None:  # type: ignore[override]
        """A box of one sample."""
        sample, place = _box(index) or (None, None)
        if sample is None or place is None:
            raise TypeError("only a box of one sample can be changed in a map that is known in a view of it")
        below = tuple(w for w in self.windows if w.sample != sample or not holds(place, _place(w)))
        self.windows = (*below, Edit(sample, place, values))

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        """Whatever it doesn't know itself is done with the whole."""
        if func in ABOUT_IT:
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name.endswith("_") and not name.endswith("__") and args and isinstance(args[0], Coarse):
            raise TypeError(f"{name} can't change a map that is known in a view of it")
        return func(*_wholes(args), **_wholes(kwargs or {}))

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        """As `__torch_function__`, for what is called past it."""
        return func(*_wholes(args), **_wholes(kwargs or {}))


def of_view(values: Tensor, frame: Frame) -> Coarse:
    """A map (B, C, H, W) that is 0 almost everywhere, as seen in a view of the whole: what is not 0 is a window."""
    size = (values.shape[-2], values.shape[-1])
    seen = values.new_zeros(*values.shape[:2], *frame.size)
    windows = []
    for i, each in enumerate(values):
        given = (each != 0).any(0)
        place = box_of(given.any(1), given.any(0))
        if place is not None:
            windows.append(Edit(i, place, each[:, *place].clone()))
    return Coarse(seen, frame.inverse(size), tuple(windows))


def averaged(image: Tensor, frame: Frame) -> Tensor:
    """What a frame shows of whole images (B, C, H, W), averaged in blocks first where these are far larger."""
    block = max(1, int(1 / float(frame.scale.max()) + 1e-9))
    if block == 1:
        return frame.crop(image)
    blocks = F.avg_pool2d(image, block, ceil_mode=True, count_include_pad=False)
    return Frame(frame.x0 / block, frame.y0 / block, frame.scale * block, frame.size).crop(blocks)


def _place(window: Edit) -> Slices:
    rows, columns = window.place
    return rows, columns


def _wholes(given: Any) -> Any:
    return tree_map_only(Coarse, Coarse.whole, given)


def _box(index: Any) -> tuple[int | None, Slices] | None:
    """Sample, rows and columns that an index names; None where it isn't one of these."""
    if not isinstance(index, tuple) or len(index) not in (3, 4) or not all(isinstance(i, slice) for i in index[-2:]):
        return None
    rows, columns = index[-2:]
    if any(each.start is None or each.stop is None or each.step is not None for each in (rows, columns)):
        return None
    if index[0] is Ellipsis and len(index) == 3:
        return None, (rows, columns)
    between = index[1:-2]
    if not isinstance(index[0], int) or between not in ((Ellipsis,), (slice(None),)):
        return None
    return index[0], (rows, columns)

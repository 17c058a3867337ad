"""The only conversion between image and crop pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Mode = Literal["bilinear", "cubic", "nearest", "max"]
Outside = Literal["edge", "zero"]
Slices = tuple[slice, slice]

SMOOTH = ("bilinear", "cubic")
AT_ONCE = 2048 * 2048
"""Sampling points at a time, when resampling: a whole slide's would not fit in memory."""


@dataclass(frozen=True)
class Frame:
    """Where each sample's crop lies in its image: `u = (x - x0) * scale`, `v = (y - y0) * scale`.

    Attributes:
        x0: (B,) float64, image x of the crop's left edge, in pixels.
        y0: (B,) float64, image y of the crop's top edge, in pixels.
        scale: (B,) float64, crop pixels per image pixel.
        size: height and width of the crop in crop pixels.
    """

    x0: Tensor
    y0: Tensor
    scale: Tensor
    size: tuple[int, int]

    @classmethod
    def whole(cls, batch: int, size: tuple[int, int], device: torch.device | str = "cpu") -> Frame:
        """The identity: the crop is the image."""
        zero = torch.zeros(batch, dtype=torch.float64, device=device)
        return cls(zero, zero, torch.ones_like(zero), size)

    @classmethod
    def around(cls, x: Tensor, y: Tensor, side: int, image_size: tuple[int, int]) -> Frame:
        """Square windows of `side` pixels at scale 1 on whole pixels, around x, y (B,).

        A window that would leave the image is moved inside; a smaller image is centred.
        """
        height, width = image_size
        x0 = torch.floor(x.double()) - side // 2
        y0 = torch.floor(y.double()) - side // 2
        x0 = x0.clamp(0, width - side) if width >= side else torch.full_like(x0, (width - side) // 2)
        y0 = y0.clamp(0, height - side) if height >= side else torch.full_like(y0, (height - side) // 2)
        return cls(x0, y0, torch.ones_like(x0), (side, side))

    @classmethod
    def of_rows(cls, rows: Tensor) -> Frame:
        """The opposite of `rows`, for rows (B, 5) of one height and width, B > 0."""
        height, width = rows[0, 3:].tolist()
        return cls(rows[:, 0], rows[:, 1], rows[:, 2], (int(height), int(width)))

    def __len__(self) -> int:
        return self.x0.shape[0]

    def select(self, index: Tensor) -> Frame:
        """The frames of the samples in `index` (integers or booleans)."""
        return replace(self, x0=self.x0[index], y0=self.y0[index], scale=self.scale[index])

    def to(self, device: torch.device | str) -> Frame:
        """The same frames on another device."""
        return replace(self, x0=self.x0.to(device), y0=self.y0.to(device), scale=self.scale.to(device))

    def rows(self) -> Tensor:
        """(B, 5) float64: x0, y0, scale, height, width of each."""
        sides = [torch.full_like(self.x0, side) for side in self.size]
        return torch.stack([self.x0, self.y0, self.scale, *sides], 1)

    def inverse(self, size: tuple[int, int]) -> Frame:
        """The frame that leads from this crop back to an image of `size` (H, W)."""
        return Frame(-self.x0 * self.scale, -self.y0 * self.scale, 1 / self.scale, size)

    def points(self, xy: Tensor) -> Tensor:
        """Image coordinates (B, N, 2) in crop coordinates."""
        origin = torch.stack([self.x0, self.y0], -1)[:, None]
        return ((xy.double() - origin) * self.scale[:, None, None]).to(xy.dtype)

    def crop(
        self, images: Tensor, mode: Mode = "bilinear", outside: Outside = "edge", part: Slices | None = None
    ) -> Tensor:
        """Cut and resample.

        Args:
            images: (B or 1, C, H, W); one image serves all samples.
            mode: `bilinear` or `cubic` (averaged over the pixel's footprint when shrinking; `cubic` overshoots),
                `nearest` for labels, `max` for masks that must not lose thin strokes.
            outside: what lies beyond the image: its `edge` repeated, or `zero`.
            part: rows and columns of the crop that are wanted; None: all.

        Returns:
            (B, C, h, w) of the images' dtype (float for `bilinear` and `cubic`).
        """
        if mode in SMOOTH and not images.is_floating_point():
            images = images.float()
        place = part or (slice(0, self.size[0]), slice(0, self.size[1]))
        if self._is_whole(images.shape[-2:]):
            whole = images.expand(len(self), -1, -1, -1)
            return whole if part is None else whole[..., *part]
        whole_pixels = (self.scale == 1) & (self.x0 == self.x0.round()) & (self.y0 == self.y0.round())
        # Samples lie less than a pixel apart for `max`, so that rounding can't make them step over one.
        step = torch.floor(1 / self.scale) + 1 if mode == "max" else torch.ceil(1 / self.scale - 1e-9).clamp(min=1)
        # Samples that shrink alike are resampled together, so that a result never depends on its batch.
        factor = torch.where(whole_pixels, 0, step).long()
        factors = sorted(set(factor.tolist()))
        if len(factors) == 1:
            return self._crop(images, mode, outside, factors[0], place)
        out: Tensor | None = None
        for k in factors:
            index = (factor == k).nonzero()[:, 0]
            source = images if images.shape[0] == 1 else images[index]
            found = self.select(index)._crop(source, mode, outside, k, place)
            if out is None:
                out = found.new_zeros(len(self), *found.shape[1:])
            out = out.to(torch.promote_types(out.dtype, found.dtype))
            out[index] = found.to(out.dtype)
        size = [axis.stop - axis.start for axis in place]
        return images.new_zeros(0, images.shape[1], *size) if out is None else out

    def paste(self, crops: Tensor, onto: Tensor) -> Tensor:
        """`onto` (B, C, H, W), where each sample's window holds its crop (B, C, h, w); the given tensors stay."""
        height, width = onto.shape[-2:]
        if self._is_whole((height, width)):
            return crops.to(onto.dtype)
        out = onto.clone()
        for i, place, values in self.boxes(crops, (height, width)):
            out[i, :, *place] = values.to(out.dtype)
        return out

    def boxes(self, crops: Tensor, image_size: tuple[int, int]) -> Iterator[tuple[int, Slices, Tensor]]:
        """Where in images of `image_size` the samples' windows lie, and what crops (B, C, h, w) say there.

        Yields:
            The sample, rows and columns, and (C, rows, columns); nothing for a window that lies outside.
        """
        between: dict[int, Slices] = {}
        for i, (x0, y0, scale) in enumerate(self.rows()[:, :3].tolist()):  # one transfer for all samples
            slices = _overlap(x0, y0, scale, self.size, image_size)
            if slices is None:
                reached = _reached(x0, y0, scale, (crops.shape[-2], crops.shape[-1]), image_size)
                between |= {} if reached is None else {i: reached}
                continue
            place, (v, u) = slices
            if place[0].start < place[0].stop and place[1].start < place[1].stop:
                yield i, place, crops[i, :, v, u]
        if not between:
            return
        index = torch.tensor(list(between), device=self.x0.device)
        low = [min(each[k].start for each in between.values()) for k in (0, 1)]
        high = [max(each[k].stop for each in between.values()) for k in (0, 1)]
        around = slice(low[0], high[0]), slice(low[1], high[1])
        values = self.select(index).inverse(image_size).crop(crops[index], part=around)
        for found, (i, place) in zip(values, between.items(), strict=True):
            v, u = (slice(each.start - first, each.stop - first) for each, first in zip(place, low, strict=True))
            yield i, place, found[:, v, u]

    def overlap(self, i: int, image_size: tuple[int, int]) -> tuple[Slices, Slices] | None:
        """The part of sample i's window that lies in the image: its rows and columns there, and in the crop.

        None when the window does not lie on whole pixels at scale 1, so that no slices could say it.
        """
        return _overlap(float(self.x0[i]), float(self.y0[i]), float(self.scale[i]), self.size, image_size)

    def reached(self, i: int, image_size: tuple[int, int]) -> Slices | None:
        """Rows and columns of the image whose pixels' centres lie in sample i's window; None without any."""
        return _reached(float(self.x0[i]), float(self.y0[i]), float(self.scale[i]), self.size, image_size)

    def _is_whole(self, image_size: tuple[int, int] | torch.Size) -> bool:
        """Whether every crop is its image as it is."""
        if self.size != tuple(image_size):
            return False
        return bool(((self.x0 == 0) & (self.y0 == 0) & (self.scale == 1)).all())

    def _crop(self, images: Tensor, mode: Mode, outside: Outside, k: int, part: Slices) -> Tensor:
        """`crop` of samples that all shrink k times; 0: all lie on whole pixels at scale 1."""
        if k == 0 and images.device.type == "cpu" and (cut := self._cut(images, part)) is not None:
            return cut
        fine = max(k, 1) if mode == "max" else 1
        found = self._resample(images, k, mode, part) if mode in SMOOTH and k else self._pick(images, fine, part)
        if outside == "zero":
            found = found * self._inside(images.shape[-2:], fine, part)[:, None].to(found.dtype)
        return F.max_pool2d(found.float(), fine).to(images.dtype) if fine > 1 else found

    def _axes(self, k: int, part: Slices) -> tuple[Tensor, Tensor]:
        """Image coordinates of a part's sampling points: x (B, w*k), y (B, h*k)."""
        (v, u) = (
            (torch.arange(axis.start * k, axis.stop * k, device=self.x0.device, dtype=torch.float64) + 0.5) / k
            for axis in part
        )
        return self.x0[:, None] + u / self.scale[:, None], self.y0[:, None] + v / self.scale[:, None]

    def _inside(self, image_size: tuple[int, int] | torch.Size, k: int, part: Slices) -> Tensor:
        """Which sampling points lie in an image, (B, h*k, w*k) bool."""
        x, y = self._axes(k, part)
        inside_x = (x >= 0) & (x < image_size[1])
        inside_y = (y >= 0) & (y < image_size[0])
        return inside_y[:, :, None] & inside_x[:, None, :]

    def _cut(self, images: Tensor, part: Slices) -> Tensor | None:
        """The same pixels without looking for each of them, where all lie in their images; else None."""
        found = []
        for i, (y0, x0) in enumerate(zip(self.y0.tolist(), self.x0.tolist(), strict=True)):
            corner = (int(y0), int(x0))
            place = [slice(at + axis.start, at + axis.stop) for at, axis in zip(corner, part, strict=True)]
            if any(axis.start < 0 or axis.stop > n for axis, n in zip(place, images.shape[-2:], strict=True)):
                return None
            found.append(images[i if len(images) > 1 else 0][:, *place])
        return torch.stack(found) if found else None

    def _pick(self, images: Tensor, k: int, part: Slices) -> Tensor:
        """The pixels under the sampling points, (B, C, h*k, w*k)."""
        x, y = self._axes(k, part)
        columns = x.floor().long().clamp(0, images.shape[-1] - 1)
        rows = y.floor().long().clamp(0, images.shape[-2] - 1)
        sample = torch.arange(len(self), device=images.device) if images.shape[0] > 1 else columns.new_zeros(1)
        picked = images.permute(0, 2, 3, 1)[sample[:, None, None], rows[:, :, None], columns[:, None, :]]
        return picked.permute(0, 3, 1, 2)

    def _resample(self, images: Tensor, k: int, mode: Mode, part: Slices) -> Tensor:
        """Interpolated between pixel centres and averaged over k x k sampling points, (B, C, h, w)."""
        rows, columns = part
        most = max(1, AT_ONCE // max(1, len(self) * (columns.stop - columns.start) * k * k))
        if rows.stop - rows.start > most:
            bands = [slice(first, min(first + most, rows.stop)) for first in range(rows.start, rows.stop, most)]
            return torch.cat([self._resample(images, k, mode, (band, columns)) for band in bands], 2)
        x, y = self._axes(k, part)
        height, width = images.shape[-2:]
        grid_x = (x * 2 / width - 1).float()[:, None, :].expand(-1, y.shape[1], -1)
        grid_y = (y * 2 / height - 1).float()[:, :, None].expand(-1, -1, x.shape[1])
        grid = torch.stack([grid_x, grid_y], -1)
        sampled = F.grid_sample(
            images.expand(len(self), -1, -1, -1),
            grid.to(images.dtype),
            mode="bicubic" if mode == "cubic" else "bilinear",
            padding_mode="border",
            align_corners=False,
        )
        return F.avg_pool2d(sampled, k) if k > 1 else sampled


def _reached(x0: float, y0: float, scale: float, size: tuple[int, int], image_size: tuple[int, int]) -> Slices | None:
    """Rows and columns of the image whose pixels' centres lie in a crop of `size`; None without any."""
    found = []
    for start, side, length in zip((y0, x0), size, image_size, strict=True):
        place = -start * scale + (np.arange(length) + 0.5) / (1 / scale)  # as the inverse frame has it
        inside = np.flatnonzero((place >= 0) & (place < side))
        if not len(inside):
            return None
        found.append(slice(int(inside[0]), int(inside[-1]) + 1))
    return found[0], found[1]


def _overlap(
    x0: float, y0: float, scale: float, size: tuple[int, int], image_size: tuple[int, int]
) -> tuple[Slices, Slices] | None:
    if scale != 1 or not (x0.is_integer() and y0.is_integer()):
        return None
    image, crop = [], []
    for start, side, length in zip((int(y0), int(x0)), size, image_size, strict=True):
        low, high = min(max(start, 0), length), min(max(start + side, 0), length)
        image.append(slice(low, high))
        crop.append(slice(low - start, high - start))
    return (image[0], image[1]), (crop[0], crop[1])

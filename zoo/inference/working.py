"""The pixels that an engine works in, of an image of any size."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from zoo.inference.session import as_images
from zoo.ops.frame import Frame, Slices
from zoo.ops.places import covering, part, shifted

# Pixels of an image that is held as floats, and resampled, as a whole; of a larger one only what is looked at.
WHOLE = 2048 * 2048
# Pixels of a larger one that are floats at a time.
PART = 1024 * 1024


class WorkingImage:
    """One image at the resolution an engine works at, which gives windows of it.

    Args:
        pixels: (1, 3, H, W) uint8, or float in 0..1.
        frame: from the image to the pixels that are worked in; None when they are the same.

    Attributes:
        given_size: height and width of the image.
        size: height and width in the pixels that are worked in.
    """

    def __init__(self, pixels: Tensor, frame: Frame | None = None) -> None:
        self.given_size = (pixels.shape[-2], pixels.shape[-1])
        self.size = self.given_size if frame is None else frame.size
        self.frame = frame
        self._pixels = pixels
        self._whole: Tensor | None = None
        if max(math.prod(self.given_size), math.prod(self.size)) <= WHOLE:
            given = as_images(pixels)
            self._whole = given if frame is None else frame.crop(given)

    @property
    def device(self) -> torch.device:
        """The device that holds the image."""
        return self._pixels.device

    def crop(self, windows: Frame) -> Tensor:
        """Windows (n, 3, h, w) float32 in 0..1, given in the pixels that are worked in."""
        if self._whole is not None:
            return windows.crop(self._whole)
        return torch.cat([self._window(windows.select(index)) for index in torch.arange(len(windows)).split(1)])

    def back(self, values: Tensor) -> Tensor:
        """A map (h, w) in the pixels that are worked in as one in the image's (H, W), on the CPU."""
        if self.frame is None:
            return values.cpu()
        back = self.frame.inverse(self.given_size)
        return back.crop(values[None, None].to(self.device), "nearest")[0, 0].cpu()

    def _window(self, one: Frame) -> Tensor:
        height, width = one.size
        scale = float(one.scale)
        rows = max(1, int(PART * scale**2 / width))
        parts = []
        for first in range(0, height, rows):
            band = Frame(one.x0, one.y0 + first / scale, one.scale, (min(rows, height - first), width))
            place = covering(band, self.size)
            parts.append(shifted(band, place).crop(self._part(place)))
        return torch.cat(parts, 2)

    def _part(self, place: Slices) -> Tensor:
        """(1, 3, h, w) float32 in 0..1: these pixels of those that are worked in."""
        if self.frame is None:
            return as_images(self._pixels[..., *place])
        frame = part(self.frame, place)
        given = covering(frame, self.given_size)
        return shifted(frame, given).crop(as_images(self._pixels[..., *given]))

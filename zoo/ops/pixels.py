"""Images of any sizes in one piece of a device's memory, read at any places and scales at once."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LEVELS = 4


class Pyramids:
    """Images and their halves, quarters and eighths by area, on one device.

    Args:
        images: (H, W, 3) uint8 each.
        device: that holds them.

    Attributes:
        pixels: (P, 3) uint8, all pixels of all levels, one image after another.
        first: (LEVELS, N) int64, where an image's level begins in `pixels`.
        width: (LEVELS, N) int64, in pixels.
        height: (LEVELS, N) int64, in pixels.
    """

    def __init__(self, images: Sequence[NDArray[np.uint8]], device: torch.device) -> None:
        parts, first, sizes, begin = [], [], [], 0
        level = list(images)
        for number in range(LEVELS):
            if number:
                level = [_half(image) for image in level]
            starts = []
            for image in level:
                starts.append(begin)
                begin += image.shape[0] * image.shape[1]
                parts.append(image.reshape(-1, 3))
            first.append(starts)
            sizes.append([image.shape[:2] for image in level])
        self.pixels = torch.from_numpy(np.concatenate(parts)).to(device)
        self.first = torch.tensor(first, device=device)
        self.height, self.width = torch.tensor(sizes, device=device).unbind(-1)

    def __len__(self) -> int:
        return self.first.shape[1]

    def sampled(self, image: Tensor, places: Tensor, scale: Tensor) -> Tensor:
        """Pixels between the pixels, bilinear; beyond an image its edge repeats.

        Args:
            image: (B,) int64, which image each sample reads.
            places: (B, h, w, 2) x, y in image pixels; a pixel's centre is at .5.
            scale: (B,) read pixels per image pixel: where it is .5 or less a smaller level is read.

        Returns:
            (B, 3, h, w) float32 in 0..255, channels last in memory.
        """
        level = (-scale.log2() + 1e-6).floor().clamp(0, LEVELS - 1).long()
        first, width, height = (each[level, image][:, None, None] for each in (self.first, self.width, self.height))
        # Odd sides lose a row or column when halved: the true factor is that of the sides.
        full = torch.stack([self.width[0, image], self.height[0, image]], -1)
        factor = torch.stack([self.width[level, image], self.height[level, image]], -1) / full
        place = places * factor[:, None, None, :] - 0.5
        low = place.floor()
        part = place - low
        x0, y0 = low.long().unbind(-1)
        x1, y1 = (x0 + 1).clamp_(min=0), (y0 + 1).clamp_(min=0)
        x0, y0 = x0.clamp_(min=0), y0.clamp_(min=0)
        x0, x1 = torch.minimum(x0, width - 1), torch.minimum(x1, width - 1)
        y0, y1 = torch.minimum(y0, height - 1), torch.minimum(y1, height - 1)
        u, v = part[..., :1], part[..., 1:]
        upper = self.pixels[first + y0 * width + x0].float().lerp(self.pixels[first + y0 * width + x1].float(), u)
        lower = self.pixels[first + y1 * width + x0].float().lerp(self.pixels[first + y1 * width + x1].float(), u)
        return upper.lerp(lower, v).permute(0, 3, 1, 2)

    def nearest(self, values: Tensor, image: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Values of the full images' pixels under the places.

        Args:
            values: (P',) of the images' pixels alone, one image after another, without smaller levels.
            image: (B,) int64.
            places: (B, h, w, 2) x, y in image pixels.

        Returns:
            (B, h, w) int64, the edge's values beyond an image, and (B, h, w) bool, whether the place lies in it.
        """
        first, width, height = (each[0, image][:, None, None] for each in (self.first, self.width, self.height))
        x, y = places.floor().long().unbind(-1)
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        x, y = torch.minimum(x.clamp(min=0), width - 1), torch.minimum(y.clamp(min=0), height - 1)
        return values[first + y * width + x].long(), inside


def _half(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = (max(1, side // 2) for side in image.shape[:2])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)

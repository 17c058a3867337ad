"""What a method saw in crops, kept for the next turn on the same pixels."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor

MOST = 32


class SeenCrops:
    """Looks at crops (B, 3, h, w) that were not seen before.

    A crop is known by its pixels, so that it doesn't matter which image, frame, batch or session it comes from. The
    weights must not change in between: an engine has its own.

    Args:
        look: returns what is to be kept of a batch of crops, each (B, ...).
        most: crops kept; the one not used for longest goes first.
    """

    def __init__(self, look: Callable[[Tensor], tuple[Tensor, ...]], most: int = MOST) -> None:
        self.look, self.most = look, most
        self._kept: OrderedDict[tuple[object, ...], tuple[Tensor, ...]] = OrderedDict()

    def __call__(self, image: Tensor) -> tuple[Tensor, ...]:
        """What `look` returns for the crops."""
        keys = [_key(crop) for crop in image]
        found = {key: self._kept[key] for key in keys if key in self._kept}
        missing = {key: i for i, key in enumerate(keys) if key not in found}
        if missing:
            seen = self.look(image[list(missing.values())] if len(missing) < len(image) else image)
            for i, key in enumerate(missing):
                # A copy of a batch's part, or all of the batch would be kept.
                found[key] = tuple(part[i].clone() if len(part) > 1 else part[i] for part in seen)
        for key, parts in found.items():
            self._kept[key] = parts
            self._kept.move_to_end(key)
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)
        if len(keys) == 1:
            return tuple(part[None] for part in found[keys[0]])
        return tuple(torch.stack(parts) for parts in zip(*(found[key] for key in keys), strict=True))


def _key(crop: Tensor) -> tuple[object, ...]:
    """Of a crop's pixels, and of what else decides what is seen in them."""
    pixels = crop.detach().contiguous().cpu().numpy()
    kind = crop.device.type
    precision = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else crop.dtype
    return hashlib.sha1(pixels.data, usedforsecurity=False).digest(), tuple(crop.shape), precision

"""Skeletons of masks, batched."""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.ops.device import check_mask, per_sample, use_torch

_NEIGHBOURS = {
    "NW": (-1, -1),
    "N": (-1, 0),
    "NE": (-1, 1),
    "E": (0, 1),
    "SE": (1, 1),
    "S": (1, 0),
    "SW": (1, -1),
    "W": (0, -1),
}
_FIRST, _SECOND = 1, 2
# Where scikit-image departs from the printed rule: in these neighbourhoods (the True neighbours) it removes a pixel
# in the passes given. Both paths must give the same skeleton, and users compare with scikit-image's.
_DEPARTURES = {
    0: ("SE S", "W NW"),
    _FIRST: ("NW N", "N NE", "NE E", "N NE E", "NW N E", "NW N W", "N NE W", "NW S W", "N SW W", "N NE SW W"),
    _SECOND: ("E SE", "S SW", "SW W", "E SE S", "S SW W", "N E SE", "E S SW", "NE E S SW", "SE S W"),
    _FIRST | _SECOND: ("N E", "E S", "S W", "N W"),
}


def skeletonize(mask: Tensor) -> Tensor:
    """Thin every sample to lines one pixel wide: (B,H,W) bool to the same, equal to scikit-image's 2-D method.

    Source: Zhang and Suen, Communications of the ACM 27(3), 1984, as in `skimage.morphology.skeletonize`.
    """
    check_mask(mask)
    if not use_torch(mask):
        from skimage.morphology import skeletonize as _scikit_image  # here, since it takes a while

        return per_sample(_scikit_image, mask, torch.bool)
    removed = torch.tensor(_removal_table(), device=mask.device)
    skeleton = mask
    while True:
        before = skeleton
        for this_pass in (_FIRST, _SECOND):
            passes = removed[_neighbourhood(skeleton)]
            skeleton = skeleton & ((passes & this_pass) == 0)
        if torch.equal(skeleton, before):
            return skeleton.clone()


def _neighbourhood(mask: Tensor) -> Tensor:
    """Number of every pixel's neighbourhood, one bit for each neighbour: (B,H,W) bool to (B,H,W) int64."""
    height, width = mask.shape[1:]
    padded = F.pad(mask, (1, 1, 1, 1)).long()
    return torch.stack(
        [
            padded[:, 1 + row : 1 + row + height, 1 + column : 1 + column + width] << bit
            for bit, (row, column) in enumerate(_NEIGHBOURS.values())
        ]
    ).sum(0)


@cache
def _removal_table() -> list[int]:
    """Passes (bits) that remove a pixel, for each of its 256 neighbourhoods."""
    names = list(_NEIGHBOURS)
    table = []
    for number in range(256):
        present = [bool(number >> bit & 1) for bit in range(8)]
        n, e, s, w = (present[names.index(name)] for name in ("N", "E", "S", "W"))
        starts = sum(present[bit] and not present[bit - 1] for bit in range(8))
        candidate = 2 <= sum(present) <= 6 and starts == 1
        first = candidate and not (e and s and (n or w))
        second = candidate and not (n and w and (e or s))
        table.append(_FIRST * first | _SECOND * second)
    for passes, neighbourhoods in _DEPARTURES.items():
        for neighbourhood in neighbourhoods:
            table[sum(1 << names.index(name) for name in neighbourhood.split())] = passes
    return table

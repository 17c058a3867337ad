"""Randomness without generators: a number is a hash of what it is for, whatever the batch and the device."""

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.ops.extent import count_rows

# Constants of splitmix64 (Steele, Lea and Flood 2014), as signed 64-bit integers.
_STEP = 0x9E3779B97F4A7C15 - 2**64
_MULTIPLIERS = (0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64)


def uniform(sample_id: Tensor, step: int | Tensor, turn: int | Tensor, draw: int | Tensor) -> Tensor:
    """Uniform numbers in [0, 1) that depend on their four counters alone.

    Args:
        sample_id: (B,) int64.
        step: epoch or training step, an integer or (B,) int64.
        turn: turn of the session, an integer or (B,) int64.
        draw: which of the numbers needed in this turn, an integer or (B,) int64.

    Returns:
        (B,) float64 on the device of `sample_id`.
    """
    state = torch.zeros_like(sample_id)
    for counter in (sample_id, step, turn, draw):
        state = _mix((state ^ counter) + _STEP)
    return _shift_right(state, 11).double() * 2.0**-53


def choose_pixel(mask: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """Choose each sample's floor(u * count)-th True pixel in raster order.

    Args:
        mask: (B,H,W) bool.
        u: (B,) float64 in [0, 1).

    Returns:
        x, y of the pixel centres, (B,2) float32, nan where a mask is empty, and (B,) bool, False there.
    """
    xy, valid = choose_pixels(mask, u.unsqueeze(1))
    return xy.squeeze(1), valid


def choose_pixels(mask: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """`choose_pixel` for several numbers a sample: u (B,K) to x, y (B,K,2) and (B,) bool."""
    # First the row, then the pixel in it: running sums over whole images cost more than all the rest.
    rows = count_rows(mask).cumsum(1, dtype=torch.int32)
    count = rows[:, -1:]
    wanted = torch.minimum((u * count).int(), count - 1) + 1
    valid = count[:, 0] > 0
    row = torch.searchsorted(rows, wanted).clamp(max=mask.shape[1] - 1)
    before = F.pad(rows, (1, 0)).gather(1, row)
    sample = torch.arange(len(mask), device=mask.device)[:, None]
    in_row = mask[sample, row].cumsum(2, dtype=torch.int32)
    column = torch.searchsorted(in_row, (wanted - before)[..., None])[..., 0]
    xy = torch.stack([column, row], -1).float() + 0.5
    return xy.masked_fill(~valid[:, None, None], torch.nan), valid


def argmax_pixel(values: Tensor) -> Tensor:
    """Centre of the first pixel in raster order at each sample's maximum: (B,H,W) to x, y (B,2) float32."""
    flat = values.flatten(1)
    at_maximum = flat == flat.amax(1, keepdim=True)
    # argmax of equal values may return any of them; of a running sum's first step there is only one.
    index = (at_maximum.cumsum(1) == 0).sum(1)
    return _centre(index, values.shape[2])


def _centre(index: Tensor, width: int) -> Tensor:
    centre: Tensor = torch.stack([index % width, index // width], dim=-1).float() + 0.5
    return centre


def _shift_right(x: Tensor, bits: int) -> Tensor:
    """Logical shift; torch's own is arithmetic."""
    shifted: Tensor = (x >> bits) & (2 ** (64 - bits) - 1)
    return shifted


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shift_right(x, 30)) * _MULTIPLIERS[0]
    x = (x ^ _shift_right(x, 27)) * _MULTIPLIERS[1]
    mixed: Tensor = x ^ _shift_right(x, 31)
    return mixed

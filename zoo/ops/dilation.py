"""Square dilation and erosion of masks, with a radius of each sample's own."""

import torch
import torch.nn.functional as F
from torch import Tensor


def dilate(mask: Tensor, radius: Tensor) -> Tensor:
    """The pixels within `radius` rows and columns of a True pixel of their sample.

    Args:
        mask: (B,H,W) bool.
        radius: (B,) int64, in pixels; r is as much as r dilations by 3x3 pixels.

    Returns:
        (B,H,W) bool. What lies outside of the image is False.
    """
    # How many True pixels there are in a window comes from a running sum, whatever the window's length. First along
    # rows, then, transposed, along columns: memory is read in order both times.
    for _ in range(2):
        length = mask.shape[2]
        place = torch.arange(length, device=mask.device)
        ends = torch.stack([place - radius[:, None], place + radius[:, None] + 1]).clamp(0, length)
        sums = F.pad(mask.cumsum(2, dtype=torch.int32), (1, 0))
        low, high = (sums.gather(2, end[:, None].expand(mask.shape)) for end in ends)
        mask = (high > low).transpose(1, 2).contiguous()
    return mask


def erode(mask: Tensor, radius: Tensor) -> Tensor:
    """The pixels without a False pixel within `radius` rows and columns; the image's edge is no border."""
    return ~dilate(~mask, radius)

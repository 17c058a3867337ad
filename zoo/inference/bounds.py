"""Boxes around what is somewhere in an image."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.interactions import Interactions
from zoo.ops.rows import ends, rows_of


def along(used: Tensor) -> tuple[Tensor, Tensor]:
    """Where the used pixels of an axis (B, L) bool begin and end, (B,) float64; inf and -inf without any."""
    place = torch.arange(used.shape[1], device=used.device, dtype=torch.float64)
    return torch.where(used, place, torch.inf).amin(1), torch.where(used, place + 1, -torch.inf).amax(1)


def bounds_of(rows: Tensor, columns: Tensor) -> Tensor:
    """(B, 4) float64 x0, y0, x1, y1 of all that is in rows (B, H) and columns (B, W); inf and -inf without any."""
    (x0, x1), (y0, y1) = along(columns > 0), along(rows > 0)
    return torch.stack([x0, y0, x1, y1], 1)


def positive_bounds(interactions: Interactions) -> Tensor:
    """(B, 4) float64 x0, y0, x1, y1 of pixels under positive clicks and strokes and in boxes; inf, -inf without any."""
    xy, label = interactions.points[..., :2].double().floor(), interactions.points[..., 2:3]
    limit = xy.new_tensor(interactions.size[::-1])
    inside = ((xy >= 0) & (xy < limit)).all(-1, keepdim=True) & (label == 1)
    nothing = xy.new_full((len(xy), 1, 2), torch.inf)
    low = torch.cat([torch.where(inside, xy, torch.inf), nothing], 1).amin(1)
    high = torch.cat([torch.where(inside, xy + 1, -torch.inf), -nothing], 1).amax(1)
    if interactions.boxes.shape[1]:
        given = interactions.boxes[..., 4:] >= 0
        start = interactions.boxes[..., :2].double().floor().clamp(min=0)
        end = torch.minimum(interactions.boxes[..., 2:4].double().ceil(), limit)
        low = torch.minimum(low, torch.where(given, start, torch.inf).amin(1))
        high = torch.maximum(high, torch.where(given, end, -torch.inf).amax(1))
    if interactions.strokes is not None:
        drawn = interactions.strokes[:, 0]
        rows = rows_of(drawn)
        # Columns only of the rows in which there is something, of any sample.
        first, last = ends(rows.any(0))
        around = bounds_of(rows, drawn[:, first:last].any(1))
        low, high = torch.minimum(low, around[:, :2]), torch.maximum(high, around[:, 2:])
    return torch.cat([low, high], 1)

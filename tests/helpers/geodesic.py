"""Distances along an image again: one pixel at a time."""

import heapq

import numpy as np


def slow_geodesic(start: np.ndarray, image: np.ndarray, weight: float, limit: float) -> np.ndarray:
    """One map (H, W) from first costs (H, W), inf where none, by a queue of pixels; image (C, H, W)."""
    height, width = start.shape
    best = {}
    queue = [(float(start[r, c]), r, c) for r in range(height) for c in range(width) if np.isfinite(start[r, c])]
    heapq.heapify(queue)
    while queue:
        cost, r, c = heapq.heappop(queue)
        if (r, c) in best:
            continue
        best[r, c] = cost
        for y in (r - 1, r, r + 1):
            for x in (c - 1, c, c + 1):
                if 0 <= y < height and 0 <= x < width and (y, x) not in best:
                    colour = ((image[:, y, x].astype(float) - image[:, r, c]) ** 2).sum()
                    step = ((y - r) ** 2 + (x - c) ** 2 + weight**2 * colour) ** 0.5
                    heapq.heappush(queue, (cost + step, y, x))
    out = np.full((height, width), limit)
    for (r, c), cost in best.items():
        out[r, c] = min(cost, limit)
    return out

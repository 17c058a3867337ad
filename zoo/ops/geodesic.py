"""Exact distances along an image, on the grid of its pixels and their eight neighbours, batched."""

import numpy as np
import torch
from torch import Tensor

from zoo.ops.device import use_torch

# Half of the neighbours, down and right: a step costs the same both ways.
STEPS = ((0, 1), (1, -1), (1, 0), (1, 1))
# Rounds between two looks at whether anything still changes, each of which waits for the accelerator.
_ROUNDS = 16


def geodesic_distance(start: Tensor, image: Tensor, weight: float, limit: float) -> Tensor:
    """Cost of the cheapest path from any pixel p to each pixel, which begins with `start[p]`.

    A step between neighbours costs `sqrt(length^2 + (weight * difference)^2)`: its length is 1 or sqrt(2) pixels, the
    difference is the Euclidean one of the colours. Exact: Dijkstra's algorithm on the CPU (scipy), on accelerators
    all pixels relaxed at once until nothing changes.

    Args:
        start: (B, N, H, W) float32, not negative: N maps of what it costs to begin at a pixel; inf: not there.
        image: (B, C, H, W) float.
        weight: pixels that a difference of 1 is worth.
        limit: greater distances become this one.

    Returns:
        (B, N, H, W) float32 in 0..limit.
    """
    start = start.float().clamp(max=limit)
    if use_torch(start):
        sample, index = (start < limit).flatten(2).any(2).nonzero(as_tuple=True)
        return start.index_put((sample, index), _relaxed(start[sample, index], image[sample].float(), weight))
    pairs = zip(start, image.float(), strict=True)
    return torch.stack([_cheapest(maps, of[None], weight, limit) for maps, of in pairs]) if len(start) else start


def _cheapest(start: Tensor, image: Tensor, weight: float, limit: float) -> Tensor:
    """(N, H, W) for one image (1, C, H, W), by Dijkstra's algorithm."""
    height, width = start.shape[-2:]
    used = (start < limit).flatten(1).any(1).nonzero()[:, 0].tolist()
    out = start.numpy().copy()
    if not used:
        return start
    pixels = np.arange(height * width).reshape(1, height, width)
    edges = []
    for down, right in STEPS:
        here, there = (pixels[end].ravel() for end in _ends(down, right, height, width))
        cost = _cost(image, down, right, weight).numpy().ravel()
        edges += [(here, there, cost), (there, here, cost)]
    # Each map begins at a node of its own. Its steps cost 1 more, since a sparse matrix holds no steps that cost 0.
    for k in used:
        first = np.flatnonzero(out[k] < limit)
        edges.append((np.full(len(first), pixels.size + k), first, out[k].ravel()[first] + 1))
    rows, columns, costs = (np.concatenate(part) for part in zip(*edges, strict=True))
    nodes = pixels.size + len(start)
    from scipy.sparse import coo_matrix  # here, since it takes a while
    from scipy.sparse.csgraph import dijkstra

    graph = coo_matrix((costs.astype(np.float64), (rows, columns)), (nodes, nodes)).tocsr()
    distance = dijkstra(graph, indices=[pixels.size + k for k in used], limit=limit + 1)[:, : pixels.size] - 1
    out[used] = np.minimum(distance, limit).reshape(-1, height, width)
    return torch.from_numpy(out)


def _relaxed(distance: Tensor, image: Tensor, weight: float) -> Tensor:
    """(M, H, W) from the first distances, which are the limit where there are none; images (M, C, H, W)."""
    if not len(distance):
        return distance
    height, width = distance.shape[-2:]
    costs = [_cost(image, down, right, weight) for down, right in STEPS]
    # Every step costs a pixel at least, so that this ends after `limit` rounds.
    while True:
        before = distance
        for _ in range(_ROUNDS):
            following = distance.clone()
            for (down, right), cost in zip(STEPS, costs, strict=True):
                here, there = _ends(down, right, height, width)
                following[here] = torch.minimum(following[here], distance[there] + cost)
                following[there] = torch.minimum(following[there], distance[here] + cost)
            distance = following
        if torch.equal(distance, before):
            return distance


def _cost(image: Tensor, down: int, right: int, weight: float) -> Tensor:
    """Cost of the step from each pixel that has this neighbour."""
    here, there = _ends(down, right, *image.shape[-2:])
    squared = (image.movedim(1, 0)[:, *here] - image.movedim(1, 0)[:, *there]).square().sum(0)
    return (squared * weight**2 + (down**2 + right**2)).sqrt()


def _ends(down: int, right: int, height: int, width: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The pixels (M, H, W) that have a neighbour `down`, `right` of them, and these neighbours."""
    columns = slice(max(0, -right), width - max(0, right))
    here = (slice(None), slice(0, height - down), columns)
    return here, (slice(None), slice(down, height), slice(columns.start + right, columns.stop + right))

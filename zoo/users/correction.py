"""Scribbles along the middle of what is wrong."""

from __future__ import annotations

import math
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order
from torch import Tensor

from zoo.errors import ConfigError
from zoo.interactions import Interactions
from zoo.ops.components import component_areas, connected_components, keep_components
from zoo.ops.distance import distance_transform
from zoo.ops.draws import Draw
from zoo.ops.skeleton import skeletonize
from zoo.users.base import SimulatedUser, Truth
from zoo.users.draws import draw

Rule = Literal["every", "largest"]


class CorrectionScribbles(SimulatedUser):
    """Scribbles on the wrong regions of the current mask: positive where it misses, negative where it exceeds.

    A wrong region is an 8-connected component of the false negative or false positive pixels. Its scribble is the
    skeleton of its inner part: the pixels whose distance to the region's border exceeds a random fraction of the
    largest one (DeepScribble, section 3.3). The image's edge counts as border. Without a wrong region of `min_area`
    nothing is said.

    Args:
        rule: `every` wrong region is scribbled on (the paper's Table 2), or only the `largest` (Table 1); of equal
            ones a missing part comes first, then raster order.
        limit: longest scribble as a fraction of the image's pixels. A skeleton is cut to its longest path, and this
            from both ends. 0.0005 is the paper's Table 1; None: whole skeletons with their branches.
        min_area: smaller wrong regions are left as they are, in pixels.
        width: of the drawn line, in pixels.
        jitter: standard deviation of a random shift of all that is drawn in a turn, along x and along y, in pixels.
    """

    gives = "scribble"

    def __init__(
        self,
        rule: Rule = "every",
        limit: float | None = None,
        min_area: int = 1,
        width: int = 1,
        jitter: float = 0.0,
    ) -> None:
        if rule not in ("every", "largest"):
            raise ConfigError(f"rule={rule!r} must be 'every' or 'largest'")
        if limit is not None and not 0 < limit <= 1:
            raise ConfigError(f"limit={limit} must be a fraction of the image's pixels, e.g. 0.0005")
        if width < 1 or min_area < 1 or jitter < 0:
            raise ConfigError(
                f"width={width} and min_area={min_area} must be at least 1 px, jitter={jitter} at least 0"
            )
        self.rule: Rule = rule
        self.limit, self.min_area, self.width, self.jitter = limit, min_area, width, jitter

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        """One turn's scribbles; empty strokes where nothing is wrong."""
        wrong = prediction ^ truth.target
        if truth.ignore is not None:
            wrong = wrong & ~truth.ignore
        batch = len(truth)
        # First all samples' missing parts, then all their excess ones.
        parts = torch.cat([(wrong & truth.target)[:, 0], (wrong & prediction)[:, 0]])
        labels = connected_components(parts)
        labels = labels * keep_components(labels, self._chosen(labels, batch))
        inner = self._inner(labels, draw(truth, turn, Draw.THRESHOLD).repeat(2))
        stroke = skeletonize(inner)
        if self.limit is not None:
            longest = max(1, math.ceil(self.limit * (truth.size[0] * truth.size[1])) - 1)
            stroke = _limited(stroke, labels, longest)
        stroke = self._drawn(torch.stack([stroke[:batch], stroke[batch:]], 1), truth, turn)
        return Interactions.of(torch.zeros(batch, 0, 4, device=stroke.device), truth.size, stroke)

    def _chosen(self, labels: Tensor, batch: int) -> Tensor:
        """(2B, n + 1) bool: which components are scribbled on."""
        areas = component_areas(labels)
        areas[:, 0] = 0
        chosen = areas >= self.min_area
        chosen[:, 0] = False
        if self.rule == "every":
            return chosen
        # A sample's missing and excess components in one row: the first of the largest wins.
        row = torch.cat([areas[:batch], areas[batch:]], 1)
        order = torch.arange(row.shape[1], device=row.device)
        best = (row * (len(order) + 1) - order).argmax(1, keepdim=True)
        largest = torch.zeros_like(row, dtype=torch.bool).scatter_(1, best, True)
        return chosen & torch.cat(largest.chunk(2, 1))

    @staticmethod
    def _inner(labels: Tensor, u: Tensor) -> Tensor:
        """Pixels deeper than a fraction `u` of their component's depth; the deepest always belong."""
        distance = distance_transform(labels > 0, border=True)
        deepest = distance.new_zeros(len(labels), component_areas(labels).shape[1])
        deepest = deepest.scatter_reduce(1, labels.flatten(1), distance.flatten(1), "amax")
        depth = deepest.gather(1, labels.flatten(1)).view(labels.shape)
        inner: Tensor = ((distance > u.to(distance)[:, None, None] * depth) | (distance == depth)) & (labels > 0)
        return inner

    def _drawn(self, strokes: Tensor, truth: Truth, turn: int) -> Tensor:
        """Moved and widened."""
        if self.jitter > 0:
            length = (-2 * torch.log1p(-draw(truth, turn, Draw.JITTER_LENGTH))).sqrt() * self.jitter
            angle = draw(truth, turn, Draw.JITTER_ANGLE) * (2 * math.pi)
            shift = torch.stack([length * angle.cos(), length * angle.sin()], 1).round().long()
            strokes = _moved(strokes, shift)
        if self.width > 1:
            disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (self.width, self.width))
            strokes = _widened(strokes, torch.from_numpy(disk).bool())
        return strokes


def _limited(stroke: Tensor, labels: Tensor, longest: int) -> Tensor:
    """Each component's longest path, cut to `longest` pixels around its middle; (B, H, W) bool."""
    lines = connected_components(stroke)
    out = torch.zeros_like(stroke)
    for i in range(len(stroke)):
        if not stroke[i].any():
            continue
        pixels = stroke[i].nonzero().cpu().numpy()
        line = lines[i][stroke[i]].cpu().numpy()
        owner = labels[i][stroke[i]].cpu().numpy()
        # Thresholding can split a region: its longest line stands for it.
        best: dict[int, NDArray[np.int64]] = {}
        for number in np.unique(line):
            members = np.flatnonzero(line == number)
            path = pixels[members[longest_path(pixels[members])]]
            region = int(owner[members[0]])
            if region not in best or len(path) > len(best[region]):
                best[region] = path
        for path in best.values():
            start = max(0, (len(path) - longest) // 2)
            kept = torch.from_numpy(path[start : start + longest]).to(stroke.device)
            out[i, kept[:, 0], kept[:, 1]] = True
    return out


def longest_path(pixels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Indices, in order, of the longest of the shortest paths in an 8-connected set of pixels (K, 2).

    Found by two breadth-first searches, which is exact for lines that branch and do not close.
    """
    count = len(pixels)
    place = {(int(r), int(c)): k for k, (r, c) in enumerate(pixels)}
    pairs = [
        (k, place[neighbour])
        for (r, c), k in place.items()
        for neighbour in ((r, c + 1), (r + 1, c - 1), (r + 1, c), (r + 1, c + 1))
        if neighbour in place
    ]
    rows, columns = np.array(pairs, np.int64).reshape(-1, 2).T
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), (count, count)).tocsr()
    end = breadth_first_order(graph, 0, directed=False, return_predecessors=False)[-1]
    order, before = breadth_first_order(graph, end, directed=False)
    path = [int(order[-1])]
    while path[-1] != end:
        path.append(int(before[path[-1]]))
    return np.array(path, np.int64)


def _moved(strokes: Tensor, shift: Tensor) -> Tensor:
    """Strokes (B, 2, H, W) moved by whole pixels x, y (B, 2); what leaves the image stops at its edge."""
    height, width = strokes.shape[-2:]
    out = torch.zeros_like(strokes)
    sample, sign, row, column = strokes.nonzero(as_tuple=True)
    row = (row + shift[sample, 1]).clamp(0, height - 1)
    column = (column + shift[sample, 0]).clamp(0, width - 1)
    out[sample, sign, row, column] = True
    return out


def _widened(strokes: Tensor, brush: Tensor) -> Tensor:
    """Strokes (B, 2, H, W) drawn with a brush (h, w) bool."""
    height, width = strokes.shape[-2:]
    sample, sign, row, column = strokes.nonzero(as_tuple=True)
    offset = brush.nonzero().to(strokes.device) - torch.tensor([s // 2 for s in brush.shape], device=strokes.device)
    row = (row[:, None] + offset[:, 0]).clamp(0, height - 1)
    column = (column[:, None] + offset[:, 1]).clamp(0, width - 1)
    out = torch.zeros_like(strokes)
    out[sample[:, None].expand_as(row), sign[:, None].expand_as(row), row, column] = True
    return out

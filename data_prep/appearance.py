"""Groups images of unknown origin by appearance, so that splits can keep near-twins together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from skimage.color import rgb2lab

# On the stained part of DSB2018, quarters of 27 fields, neighbours correlate along their seam and step by at
# most 1.2 times what pixels inside them do; everything else that correlates steps by 4 times as much.
_SEAM_CORRELATION, _SEAM_STEP = 0.7, 2.0
# CIE Lab units. On the same images: the three stains are at least 13 apart, and within one every image has
# another one within 5.6.
STAIN_DISTANCE = 9.0


def background(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Median CIE Lab colour (3,) of the brighter part of an RGB image (H, W, 3): glass and pale stroma."""
    lab = rgb2lab(image).reshape(-1, 3)
    median: NDArray[np.float64] = np.median(lab[lab[:, 0] >= np.percentile(lab[:, 0], 60)], axis=0)
    return median


def stains(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.int64]:
    """Stain of each image: groups whose `background` colours are all `STAIN_DISTANCE` or more from the others'.

    Numbered from 0 by descending size.
    """
    if len(images) == 1:
        return np.zeros(1, np.int64)
    colours = np.array([background(image) for image in images])
    return _by_size(fcluster(linkage(colours, "single"), STAIN_DISTANCE, "distance"))


def fields(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.int64]:
    """Field of each image: tiles that continue each other over an edge, directly or through others.

    Numbered from 0 by descending size.
    """
    pairs = [pair for vertical in (False, True) for pair in _seams(images, vertical)]
    rows, columns = np.array(pairs, int).reshape(-1, 2).T
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(images), len(images)))
    return _by_size(connected_components(graph, directed=False)[1])


def _seams(images: Sequence[NDArray[np.uint8]], vertical: bool) -> list[tuple[int, int]]:
    """Pairs (i, j) where j continues i to the right, or with `vertical` below."""
    first, last, step = [], [], []
    for image in images:
        turned = (image if vertical else image.swapaxes(0, 1)).astype(np.float64)
        first.append(turned[0])
        last.append(turned[-1])
        step.append((np.abs(turned[0] - turned[1]).mean() + np.abs(turned[-1] - turned[-2]).mean()) / 2)
    pairs = []
    for i, end in enumerate(last):
        for j, start in enumerate(first):
            if i == j or end.shape != start.shape:
                continue
            if np.abs(end - start).mean() > _SEAM_STEP * (step[i] + step[j]) / 2:
                continue
            a, b = end - end.mean(axis=0), start - start.mean(axis=0)
            if (a * b).sum() > _SEAM_CORRELATION * np.sqrt((a * a).sum() * (b * b).sum()):
                pairs.append((i, j))
    return pairs


def _by_size(groups: NDArray[np.integer]) -> NDArray[np.int64]:
    _, first, inverse, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(sizes), np.int64)
    rank[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    return rank[inverse]

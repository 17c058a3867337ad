"""Intervals of means by a bootstrap over what belongs together."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

LEVEL, DRAWS, SEED = 0.95, 10_000, 0


def interval(
    values: ArrayLike, clusters: ArrayLike, draws: int = DRAWS, seed: int = SEED
) -> tuple[float | None, float | None]:
    """Ends of the 95 % interval of the mean.

    Percentiles of a bootstrap over clusters: as many clusters as there are, drawn with replacement, and the mean over
    all their samples (Efron and Tibshirani, An introduction to the bootstrap, 1993, sections 8.6 and 13.3). With few
    clusters such intervals are somewhat too short.

    Args:
        values: (S,) one number a sample.
        clusters: (S,) what samples share, e.g. the image they are windows of.
        draws: of the bootstrap.
        seed: of the draws.

    Returns:
        Lower and upper end; None with fewer than two clusters.
    """
    numbers = np.asarray(values, np.float64)
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    count = int(index.max()) + 1
    if count < 2:
        return None, None
    sums, sizes = np.bincount(index, numbers), np.bincount(index)
    drawn = np.random.default_rng(seed).integers(0, count, (draws, count))
    means = sums[drawn].sum(1) / sizes[drawn].sum(1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)

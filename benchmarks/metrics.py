"""All instance metrics of a dense field of nuclei."""

import numpy as np

from benchmarks.common import Row, best_of
from zoo.metrics import score_instances


def nuclei(count: int, size: int, jitter: float) -> np.ndarray:
    """Disks of radius 7 to 11 on a jittered grid; maps of different `jitter` show the same nuclei, moved."""
    place, move = np.random.default_rng(0), np.random.default_rng(1)
    labels = np.zeros((size, size), np.int32)
    y, x = np.mgrid[-12:13, -12:13]
    side = int(np.ceil(np.sqrt(count)))
    for i in range(count):
        centre = (np.array(divmod(i, side)) + 0.5) * size / side + place.uniform(-3, 3, 2)
        row, column = np.rint(centre + jitter * move.uniform(-1, 1, 2)).astype(int)
        disk = x**2 + y**2 <= place.uniform(7, 11) ** 2
        labels[(row + y[disk]).clip(0, size - 1), (column + x[disk]).clip(0, size - 1)] = i + 1
    return labels


def run() -> list[Row]:
    count, size = 1500, 1000
    target, prediction = nuclei(count, size, 0), nuclei(count, size, 4)
    index = target.astype(np.int64).ravel() * (count + 1) + prediction.ravel()
    return [
        Row(
            name=f"all instance metrics, {count} nuclei, {size}x{size}",
            ours_s=best_of(lambda: score_instances(prediction, target)),
            limit_s=best_of(lambda: np.bincount(index, minlength=(count + 1) ** 2)),
            limit="np.bincount of the pair index",
        )
    ]

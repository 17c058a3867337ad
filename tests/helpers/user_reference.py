"""Simulated users again: one sample at a time, in numpy and scipy."""

import numpy as np
from scipy import ndimage


def next_click(
    prediction: np.ndarray, target: np.ndarray, ignore: np.ndarray, clicked: list[tuple[int, int]]
) -> tuple[float, float, int] | None:
    """x, y, label of the next click for (H, W) bool masks, or None; `clicked` holds rows and columns."""
    best: tuple[float, int, int, int] | None = None
    # Negative first: only a strictly greater distance of the missing pixels changes the sign.
    for label, error in ((0, prediction & ~target & ~ignore), (1, target & ~prediction & ~ignore)):
        distance = ndimage.distance_transform_edt(np.pad(error, 1))[1:-1, 1:-1].astype(np.float32)
        for row, column in clicked:
            distance[row, column] = 0
        for row, column in np.argwhere(error):
            if distance[row, column] > (best[0] if best else 0):
                best = (float(distance[row, column]), int(row), int(column), label)
    return None if best is None else (best[2] + 0.5, best[1] + 0.5, best[3])


def allowed_inside(target: np.ndarray, min_distance: float) -> np.ndarray:
    """(H, W) bool: where a random click inside may fall; the image's edge is no border."""
    outside = np.argwhere(~target)
    distance = np.zeros(target.shape)
    for row, column in np.argwhere(target):
        distance[row, column] = np.sqrt(((outside - (row, column)) ** 2).sum(1)).min() if len(outside) else np.inf
    far = target & (distance >= min_distance)
    return far if far.any() else target & (distance == distance.max())


def centroids(instances: np.ndarray, without: int) -> dict[int, tuple[float, float]]:
    """x, y of the pixel that holds each object's centroid, for all ids but one."""
    out = {}
    for name in np.unique(instances):
        if name > 0 and name != without:
            rows, columns = np.nonzero(instances == name)
            out[int(name)] = (float(np.floor(columns.mean() + 0.5)) + 0.5, float(np.floor(rows.mean() + 0.5)) + 0.5)
    return out


def allowed_in_error(
    prediction: np.ndarray, target: np.ndarray, ignore: np.ndarray, clicked: list[tuple[int, int]], depth: float
) -> tuple[int, np.ndarray]:
    """Label, and (H, W) bool: where a random click on the larger error may fall."""
    best, allowed = 0, np.zeros(target.shape, bool)
    largest = np.float32(0)
    for label, error in ((0, prediction & ~target & ~ignore), (1, target & ~prediction & ~ignore)):
        distance = ndimage.distance_transform_edt(np.pad(error, 1))[1:-1, 1:-1].astype(np.float32)
        for row, column in clicked:
            distance[row, column] = 0
        if distance.max() > largest:
            best, largest, allowed = label, distance.max(), distance > np.float32(depth) * distance.max()
    return best, allowed


def training_places(
    target: np.ndarray, others: np.ndarray, ignore: np.ndarray, margin: int, ring: float
) -> dict[str, np.ndarray]:
    """(H, W) bool of each kind of random training clicks."""
    square, counted = np.ones((3, 3)), ~ignore
    core = ndimage.binary_erosion(target, square, margin, border_value=1) if margin else target
    core = core & counted
    wide = target
    for _ in range(int(np.ceil(ring * np.sqrt(target.sum())))):
        wide = ndimage.binary_dilation(wide, square)
    return {
        "inside": target & counted,
        "core": core if core.any() else target & counted,
        "background": ~target & ~others & counted,
        "others": others & ~target & counted,
        "border": wide & ~target & counted,
    }

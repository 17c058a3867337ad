import time

import numpy as np
import pytest
from scipy import ndimage

from zoo.images.crossings import area, parents
from zoo.images.geojson import polygons
from zoo.images.simplify import simplified


def ragged(side: int, seed: int = 0) -> np.ndarray:
    """A disk with a border of islands and holes, and holes with islands in it."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(side, side)), 2)
    y, x = np.mgrid[:side, :side]
    return noise / noise.std() + (side * 0.4 - np.hypot(x - side / 2, y - side / 2)) / (side * 0.15) > 0


def inside(point: np.ndarray, ring: np.ndarray) -> bool:
    """Even-odd along the ray to the left, which meets no vertex a quarter below one."""
    x, y = point[0], point[1] + 0.25
    count = 0
    for (ax, ay), (bx, by) in zip(ring, np.roll(ring, -1, 0), strict=True):
        if (ay <= y) != (by <= y):
            count += ax + (y - ay) * (bx - ax) / (by - ay) < x
    return count % 2 == 1


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_parents_are_the_innermost_rings_around(seed, exact):
    objects = [polygons(ragged(60, 2 * seed + k)) for k in range(2)]
    if not exact:
        objects = simplified(objects)
    rings, groups = [], []
    for number, shapes in enumerate(objects):
        for ring in (ring for rings in shapes for ring in rings):
            rings.append(np.array(ring[:-1]) * 2)
            groups.append(number)
    rings = [np.rint(ring).astype(np.int64) for ring in rings]
    if exact:  # along pixel edges they may touch
        rings, groups = disjoint(rings, groups)
    found = parents(rings, groups)
    assert len(set(found.tolist())) > 1
    for i, ring in enumerate(rings):
        # Just outside the leftmost vertex, where the ring itself is not around.
        left = ring[np.lexsort((ring[:, 1], ring[:, 0]))[0]]
        around = [j for j, other in enumerate(rings) if j != i and groups[j] == groups[i] and inside(left, other)]
        expected = min(around, key=lambda j: abs(area(rings[j])), default=-1)
        assert found[i] == expected


def disjoint(rings: list[np.ndarray], groups: list[int]) -> tuple[list[np.ndarray], list[int]]:
    """Those that share no vertex with an earlier one."""
    taken: set[tuple[int, int, int]] = set()
    kept = []
    for i, ring in enumerate(rings):
        places = {(groups[i], x, y) for x, y in ring.tolist()}
        if not places & taken:
            kept.append(i)
        taken |= places
    return [rings[i] for i in kept], [groups[i] for i in kept]


def test_many_holes_take_time_in_proportion():
    def seconds(side: int) -> float:
        """Of a square with a jagged left edge, full of holes: as many as its outline is long, about."""
        zigzag = [[row % 2, row] for row in range(side * side // 4)]
        outline = np.array([*zigzag, [4 * side + 4, zigzag[-1][1]], [4 * side + 4, 0]])
        places = np.stack(np.meshgrid(np.arange(side), np.arange(side // 16)), -1).reshape(-1, 2) * 4 + 3
        rings = [outline, *(place + np.array([[0, 0], [0, 2], [2, 1]]) for place in places)]
        times = []
        for _ in range(3):
            began = time.process_time()
            found = parents(rings, [0] * len(rings))
            times.append(time.process_time() - began)
        assert found.tolist() == [-1] + [0] * len(places)
        return min(times)

    # 16 times the outline and the holes; all pairs of these would take 256 times as long.
    assert seconds(400) < 60 * seconds(100)

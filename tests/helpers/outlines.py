"""Whether polygons are valid, checked slowly, line by line in exact fractions."""

import itertools
from fractions import Fraction


def area(ring) -> float:
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in itertools.pairwise(ring)) / 2


def side(a, b, c) -> Fraction:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def on(a, b, c) -> bool:
    """Whether c is on the line from a to b."""
    boxed = min(a[0], b[0]) <= c[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= c[1] <= max(a[1], b[1])
    return side(a, b, c) == 0 and boxed


def meet(a, b, c, d) -> bool:
    apart = (side(a, b, c) > 0) != (side(a, b, d) > 0) and (side(c, d, a) > 0) != (side(c, d, b) > 0)
    return apart or on(a, b, c) or on(a, b, d) or on(c, d, a) or on(c, d, b)


def check_valid(polygons_of_one) -> None:
    """No two lines of an object meet but neighbours in their common end; holes lie in their outer ring alone."""
    lines = []
    for p, polygon in enumerate(polygons_of_one):
        assert area(polygon[0]) > 0
        assert all(area(hole) < 0 for hole in polygon[1:])
        for r, ring in enumerate(polygon):
            assert ring[0] == ring[-1]
            assert len({tuple(vertex) for vertex in ring[:-1]}) == len(ring) - 1 >= 3
            points = [tuple(map(Fraction, vertex)) for vertex in ring]
            lines += [((p, r), k, len(points) - 1, a, b) for k, (a, b) in enumerate(itertools.pairwise(points))]
    for (ring, k, n, a, b), (other, m, _, c, d) in itertools.combinations(lines, 2):
        if ring == other and (m - k) % n in (1, n - 1):
            first, last = (a, d) if b == c else (b, c)
            assert not on(c, d, first)
            assert not on(a, b, last)
        else:
            assert not meet(a, b, c, d)
    for outer, *holes in polygons_of_one:
        for hole in holes:
            assert winds(outer, hole[0])
            assert not any(winds(other, hole[0]) for other in holes if other is not hole)


def winds(ring, point) -> bool:
    """Even-odd, by the edges to the right; the point is on none."""
    x, y = map(Fraction, point)
    odd = False
    for (ax, ay), (bx, by) in itertools.pairwise([tuple(map(Fraction, vertex)) for vertex in ring]):
        if (ay <= y) != (by <= y) and ax + (y - ay) / (by - ay) * (bx - ax) > x:
            odd = not odd
    return odd

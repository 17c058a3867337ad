import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data_prep.polygons import fill_polygon

SHAPE = (12, 15)
coordinates = st.integers(-20, 170).map(lambda tenths: tenths / 10)
polygons = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=9)


def matlab_round(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def slow_poly2mask(xs: list[Fraction], ys: list[Fraction], shape: tuple[int, int]) -> np.ndarray:
    """Edge by edge in MATLAB's one-based coordinates, with exact fractions."""
    corners = [(matlab_round(5 * (x - Fraction(1, 2)) + 1), matlab_round(5 * (y - Fraction(1, 2)) + 1))
               for x, y in zip(xs, ys, strict=True)]  # fmt: skip
    outline: list[tuple[int, int]] = []
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        a, b = (x1, y1), (x2, y2)
        by_x = abs(x2 - x1) >= abs(y2 - y1)
        backwards = x1 > x2 if by_x else y1 > y2
        if backwards:
            a, b = b, a
        if a == b:
            line = [a]
        elif by_x:
            slope = (b[1] - a[1]) / (b[0] - a[0])  # in doubles, as MATLAB has it: they decide some halves
            line = [(x, matlab_round(Fraction(a[1] + slope * (x - a[0])))) for x in range(a[0], b[0] + 1)]
        else:
            slope = (b[0] - a[0]) / (b[1] - a[1])
            line = [(matlab_round(Fraction(a[0] + slope * (y - a[1]))), y) for y in range(a[1], b[1] + 1)]
        outline += line[::-1] if backwards else line
    height, width = shape
    mask = np.zeros(shape, bool)
    for (x, y), (next_x, next_y) in pairwise(outline):
        if x == next_x:
            continue
        column = Fraction((x if next_x > x else x - 1) + 2, 5)
        if column.denominator == 1 and 1 <= column <= width:
            row = min(max(math.ceil(Fraction(min(y, next_y) + 2, 5)), 1), height + 1)
            mask[row - 1 :, int(column) - 1] ^= True
    return mask


@given(polygons)
@example([(0.0, 0.0), (-1.8, 6.7), (2.7, -1.6)])
@settings(max_examples=150, deadline=None)
def test_equals_matlabs_algorithm(polygon):
    xs = [Fraction(round(x * 10), 10) + Fraction(1, 2) for x, _ in polygon]
    ys = [Fraction(round(y * 10), 10) + Fraction(1, 2) for _, y in polygon]
    np.testing.assert_array_equal(fill_polygon(np.array(polygon), SHAPE), slow_poly2mask(xs, ys, SHAPE))


def crossings(polygon: list[tuple[float, float]], x: float, y: float) -> int:
    count = 0
    for (x1, y1), (x2, y2) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            count += 1
    return count


def distance(polygon: list[tuple[float, float]], x: float, y: float) -> float:
    best = math.inf
    for (x1, y1), (x2, y2) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        length = (x2 - x1) ** 2 + (y2 - y1) ** 2
        t = 0.0 if length == 0 else min(1.0, max(0.0, ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length))
        best = min(best, math.hypot(x - x1 - t * (x2 - x1), y - y1 - t * (y2 - y1)))
    return best


@given(polygons)
@settings(max_examples=100, deadline=None)
def test_is_the_even_odd_rule_away_from_the_outline(polygon):
    mask = fill_polygon(np.array(polygon), SHAPE)
    for row in range(SHAPE[0]):
        for column in range(SHAPE[1]):
            x, y = column + 0.5, row + 0.5
            if distance(polygon, x, y) > 0.35:
                assert mask[row, column] == (crossings(polygon, x, y) % 2 == 1)


@given(polygons, st.integers(0, 8), st.integers(0, 8))
@settings(max_examples=100, deadline=None)
def test_parts_of_a_cut_polygon_share_no_pixel(polygon, first, second):
    first, second = sorted((first % len(polygon), second % len(polygon)))
    one = polygon[first : second + 1]
    other = polygon[second:] + polygon[: first + 1]
    parts = fill_polygon(np.array(one), SHAPE) ^ fill_polygon(np.array(other), SHAPE)
    np.testing.assert_array_equal(parts, fill_polygon(np.array(polygon), SHAPE))


@pytest.mark.parametrize("turned", [False, True])
def test_pixel_aligned_rectangle(turned):
    corners = np.array([(2, 3), (7, 3), (7, 5), (2, 5)], float)
    expected = np.zeros(SHAPE, bool)
    expected[3:5, 2:7] = True
    np.testing.assert_array_equal(fill_polygon(corners[::-1] if turned else corners, SHAPE), expected)


def test_degenerate_polygons_are_empty():
    for vertices in ([], [(3.0, 3.0)], [(1.0, 1.0), (9.0, 9.0)]):
        assert not fill_polygon(np.array(vertices).reshape(-1, 2), SHAPE).any()

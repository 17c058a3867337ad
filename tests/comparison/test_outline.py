"""Outlines are edges between pixels: filled again they give the mask."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from zoo.comparison.outline import outline


def filled(path: str, shape: tuple[int, int]) -> np.ndarray:
    inside = np.zeros(shape, bool)
    for ring in path.split("z")[:-1]:
        x, y = map(int, re.match(r"M(\d+) (\d+)", ring).groups())
        start = (x, y)
        corners = [start]
        for kind, step in re.findall(r"([hv])(-?\d+)", ring):
            x, y = (x + int(step), y) if kind == "h" else (x, y + int(step))
            corners.append((x, y))
        for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], start], strict=True):
            assert x0 == x1 or y0 == y1
            if x0 == x1:
                inside[min(y0, y1) : max(y0, y1), x0:] ^= True
    return inside


@given(arrays(np.bool_, (7, 9), elements=st.booleans()))
def test_a_mask_comes_back(mask):
    assert (filled(outline(mask), mask.shape) == mask).all()


def test_every_object_of_a_label_map_has_an_outline_of_its_own():
    labels = np.zeros((6, 6), np.int32)
    labels[1:3, 1:3], labels[1:3, 3:5] = 70000, 5
    assert sorted(outline(labels).split("z")) == ["", "M1 1h2v2h-2", "M3 1h2v2h-2"]
    assert outline(np.zeros((3, 3), bool)) == ""

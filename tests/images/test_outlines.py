import itertools
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from tests.images.test_geojson import filled
from zoo.images import outlines
from zoo.images.geojson import polygons
from zoo.images.outlines import corners_of, polygons_of
from zoo.images.raster import places
from zoo.images.simplify import simplified


class Held:
    """A `Raster` in memory."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.size = values, values.shape

    def read(self, place):
        return self.values[place]


def joined(mask: np.ndarray, side: int) -> list:
    """The polygons found in tiles of `side` pixels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outlines, "places", partial(places, side=side))
        return polygons_of(corners_of(Held(mask.astype(np.uint8)), 1))


def canonical(found) -> set:
    """Polygons as sets of rings that begin at their least vertex."""

    def turned(ring):
        first = ring.index(min(ring[:-1]))
        return tuple(map(tuple, ring[first:-1] + ring[:first]))

    return {(turned(outer), frozenset(map(turned, holes))) for outer, *holes in found}


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))), st.integers(1, 9))
def test_joined_across_tiles(mask, side):
    """However the map is cut, it is the outlines of the whole; filling them gives the mask again."""
    found = joined(mask, side)
    assert canonical(found) == canonical(polygons(mask))
    np.testing.assert_array_equal(filled(list(itertools.chain.from_iterable(found)), *mask.shape), mask)


@pytest.mark.parametrize("seed", range(3))
def test_simplified_as_in_memory(seed):
    noise = np.random.default_rng(seed).normal(size=(150, 200))
    mask = ndimage.gaussian_filter(noise, 4) > 0
    found = joined(mask, 64)
    assert any(len(rings) > 1 for rings in found)
    assert simplified([found]) == simplified([polygons(mask)])


def test_nothing():
    assert joined(np.zeros((5, 5), bool), 2) == []

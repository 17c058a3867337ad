import itertools
import uuid

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from zoo.images.geojson import feature_collection, polygons


def filled(rings, height: int, width: int) -> np.ndarray:
    """Pixels whose centre lies inside by the even-odd rule, counted edge by edge."""
    out = np.zeros((height, width), bool)
    for row in range(height):
        for column in range(width):
            for ring in rings:
                for (x0, y0), (x1, y1) in itertools.pairwise(ring):
                    if x0 == x1 and x0 > column + 0.5 and min(y0, y1) < row + 0.5 < max(y0, y1):
                        out[row, column] ^= True
    return out


def area(ring) -> float:
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in itertools.pairwise(ring)) / 2


def shapes(feature) -> list:
    geometry = feature["geometry"]
    return geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]


@given(arrays(bool, st.tuples(st.integers(1, 8), st.integers(1, 8))))
def test_filling_the_polygons_gives_the_mask(mask):
    found = polygons(mask)
    assert len(found) == ndimage.label(mask)[1]
    total = np.zeros(mask.shape, int)
    for rings in found:
        part = filled(rings, *mask.shape)
        assert sum(map(area, rings)) == part.sum()
        total += part
    np.testing.assert_array_equal(total, mask)


@given(arrays(bool, st.tuples(st.integers(1, 8), st.integers(1, 8))))
def test_rings_are_valid(mask):
    for outer, *holes in polygons(mask):
        assert area(outer) > 0
        assert all(area(hole) < 0 for hole in holes)
        for ring in (outer, *holes):
            assert ring[0] == ring[-1]
            corners = [tuple(vertex) for vertex in ring[:-1]]
            assert len(set(corners)) == len(corners) >= 4
            for a, b, c in zip(corners, corners[1:] + corners[:1], corners[2:] + corners[:2], strict=True):
                # every vertex is a corner between a horizontal and a vertical edge
                assert (a[0] == b[0]) != (b[0] == c[0])


@given(arrays(np.int32, (7, 9), elements=st.sampled_from([0, 0, 3, 70_000, 2_000_000_000])))
def test_a_label_image_comes_back(labels):
    collection = feature_collection(labels)
    back = np.zeros_like(labels)
    for feature in collection["features"]:
        for rings in shapes(feature):
            back[filled(rings, *labels.shape)] = int(feature["properties"]["name"])
    np.testing.assert_array_equal(back, labels)
    assert [int(f["properties"]["name"]) for f in collection["features"]] == [v for v in np.unique(labels) if v]


def test_a_ring_with_a_hole_in_image_pixels():
    labels = np.zeros((9, 10), np.uint8)
    labels[2:7, 3:8] = 5
    labels[4, 5] = 0
    (feature,) = feature_collection(labels, "detection")["features"]
    assert feature["type"] == "Feature"
    assert feature["properties"] == {"objectType": "detection", "name": "5"}
    assert feature["geometry"]["type"] == "Polygon"
    outer, hole = feature["geometry"]["coordinates"]
    assert {tuple(v) for v in outer} == {(3, 2), (8, 2), (8, 7), (3, 7)}
    assert {tuple(v) for v in hole} == {(5, 4), (6, 4), (6, 5), (5, 5)}


def test_ids_are_unique_and_stay():
    labels = np.kron(np.arange(9).reshape(3, 3), np.ones((4, 4), int))
    ids = [feature["id"] for feature in feature_collection(labels)["features"]]
    assert len({uuid.UUID(each) for each in ids}) == 8
    assert ids == [feature["id"] for feature in feature_collection(labels)["features"]]


def test_pixels_that_touch_diagonally_are_two_polygons():
    (feature,) = feature_collection(np.eye(2, dtype=int))["features"]
    assert feature["geometry"]["type"] == "MultiPolygon"
    assert len(feature["geometry"]["coordinates"]) == 2


def test_nothing():
    assert feature_collection(np.zeros((3, 4), int)) == {"type": "FeatureCollection", "features": []}

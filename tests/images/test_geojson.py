import itertools
import uuid

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from tests.helpers.outlines import area, check_valid
from zoo.images.geojson import feature_collection, polygons
from zoo.images.simplify import simplified


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
    collection = feature_collection(labels, exact=True)
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
    (feature,) = feature_collection(labels, "detection", exact=True)["features"]
    assert feature["type"] == "Feature"
    assert feature["properties"] == {"objectType": "detection", "name": "5", "measurements": {"Area px^2": 24}}
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
    (feature,) = feature_collection(np.eye(2, dtype=int), exact=True)["features"]
    assert feature["geometry"]["type"] == "MultiPolygon"
    assert len(feature["geometry"]["coordinates"]) == 2


def test_nothing():
    assert feature_collection(np.zeros((3, 4), int)) == {"type": "FeatureCollection", "features": []}


# Simplified outlines, against slow references in exact fractions.


def far(points, ring) -> float:
    """The largest distance of points from the lines of a ring."""
    ends = np.array(ring, float)
    away = []
    for point in np.asarray(points, float):
        a, ab = ends[:-1], np.diff(ends, axis=0)
        share = np.clip(((point - a) * ab).sum(1) / (ab**2).sum(1), 0, 1)
        away.append(np.hypot(*(a + share[:, None] * ab - point).T).min())
    return max(away)


def middles(ring) -> set[tuple[float, float]]:
    """The middles of the pixel edges that a ring runs along."""
    found = set()
    for (x0, y0), (x1, y1) in itertools.pairwise(ring):
        count = abs(x1 - x0) + abs(y1 - y0)
        found |= {(x0 + (x1 - x0) * (k + 0.5) / count, y0 + (y1 - y0) * (k + 0.5) / count) for k in range(count)}
    return found


def blob(seed: int, sigma: float, share: float) -> np.ndarray:
    """A few pieces with holes."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(26, 26)), sigma)
    return noise > np.quantile(noise, share)


@settings(deadline=None, max_examples=25)
@given(
    st.one_of(
        st.builds(blob, st.integers(0, 2**32 - 1), st.floats(0.5, 3), st.floats(0.35, 0.65)), arrays(bool, (7, 8))
    )
)
def test_simplified_outlines_are_valid_and_near(mask):
    if not mask.any():
        return
    (found,) = simplified([polygons(mask)])
    check_valid(found)
    rings = [middles(ring) for polygon in polygons(mask) for ring in polygon]
    for ring in itertools.chain(*found):
        (source,) = [each for each in rings if {*map(tuple, ring)} <= each]  # a middle is in one ring only
        assert far(sorted(source), ring) < 0.5
    assert sum(len(ring) - 1 for ring in itertools.chain(*found)) <= sum(map(len, rings))


def test_specks_are_gone():
    mask = np.zeros((12, 12), int)
    mask[1:8, 1:8] = 1
    mask[4, 4] = 0
    mask[8, 8] = mask[10, 10] = 1
    mask[0, 11] = 2
    one, two = feature_collection(mask)["features"]
    assert one["geometry"]["type"] == "Polygon"
    (ring,) = one["geometry"]["coordinates"]
    assert abs(area(ring) - 49) < 1
    assert one["properties"]["measurements"] == {"Area px^2": 50}
    assert shapes(two)[0][0][0] in [[11, 0.5], [11.5, 0], [12, 0.5], [11.5, 1]]  # an object keeps its only pixel


def test_a_disk_has_few_vertices_and_its_area():
    rows, columns = np.mgrid[:40, :40] + 0.5
    mask = np.hypot(rows - 20, columns - 20) < 15
    (feature,) = feature_collection(mask.astype(int))["features"]
    (ring,) = feature["geometry"]["coordinates"]
    assert len(ring) < 0.5 * len(polygons(mask)[0][0])
    assert abs(area(ring) / mask.sum() - 1) < 0.01


def test_measurements_and_classes():
    labels = np.zeros((9, 10), np.uint8)
    labels[2:6, 3:8], labels[7, 1:3] = 5, 7
    found = feature_collection(labels, mpp=0.5, probabilities={5: 0.75}, classes={7: "Tumor"})["features"]
    assert found[0]["properties"]["measurements"] == {"Area px^2": 20, "Area \u00b5m^2": 5.0, "Probability": 0.75}
    assert found[1]["properties"]["measurements"] == {"Area px^2": 2, "Area \u00b5m^2": 0.5}
    assert "classification" not in found[0]["properties"]
    assert found[1]["properties"]["classification"] == {"name": "Tumor"}

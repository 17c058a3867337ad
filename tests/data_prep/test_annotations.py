"""Outlines and masks: what they draw, against a slow reference, and what is said about wrong ones."""

import json
import pickle
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from data_prep.annotations import (
    MaskSlide,
    Outline,
    Polygons,
    check_inside,
    read_aperio_xml,
    read_asap_xml,
    read_geojson,
)
from zoo.errors import DataError
from zoo.qupath import class_of

SQUARE = [(2.0, 1.0), (8.0, 1.0), (8.0, 5.0), (2.0, 5.0)]


def outline(*rings: list[tuple[float, float]], **more: object) -> Outline:
    return Outline(tuple(np.array(points, np.float64) for points in rings), **more)


# Reference: one point, one polygon, exact fractions.


def winding(point: tuple[Fraction, Fraction], points: list[tuple[float, float]]) -> int | None:
    """How often a ring runs around a point, from the edges left of it; None if it is on an edge."""
    x, y = point
    count = 0
    for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1], strict=True):
        ax, ay, bx, by = map(Fraction, (ax, ay, bx, by))
        side = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        if side == 0 and min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by):
            return None
        if (ay <= y) != (by <= y) and ax + (y - ay) / (by - ay) * (bx - ax) < x:
            count += 1 if by > ay else -1
    return count


def slow(outlines: list[Outline], x: int, y: int, width: int, height: int, downsample: float) -> np.ndarray:
    """Number of the last outline around each pixel centre, -1 where the centre is on an edge."""
    label = np.zeros((height, width), int)
    for row in range(height):
        for column in range(width):
            at = (
                x + (column + Fraction(1, 2)) * Fraction(downsample),
                y + (row + Fraction(1, 2)) * Fraction(downsample),
            )
            for each in outlines:
                turns = [winding(at, [tuple(p) for p in ring.tolist()]) for ring in each.rings]
                if None in turns:
                    label[row, column] = -1
                    break
                if turns[0] and not any(turns[1:]):
                    label[row, column] = each.number
    return label


halves = st.integers(-16, 40).map(lambda value: value / 2)
rings = st.lists(st.tuples(halves, halves), min_size=3, max_size=9)
windows = st.tuples(
    st.integers(-12, 20),
    st.integers(-12, 20),
    st.integers(1, 12),
    st.integers(1, 12),
    st.sampled_from([0.5, 1, 1.5, 2, 3]),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(rings, min_size=1, max_size=3), min_size=1, max_size=3), windows)
def test_drawn_as_by_the_reference(shapes, window):
    outlines = [outline(*shape, number=index) for index, shape in enumerate(shapes, start=1)]
    expected = slow(outlines, *window)
    polygons = Polygons(outlines)
    decided = expected >= 0
    np.testing.assert_array_equal(polygons.instances(*window)[decided], expected[decided])
    np.testing.assert_array_equal(polygons.raster(*window)[decided], expected[decided] > 0)


@settings(deadline=None, max_examples=30)
@given(st.lists(rings, min_size=1, max_size=3), windows, st.integers(0, 6), st.integers(0, 6))
def test_a_window_is_a_part_of_any_larger_one(shapes, window, left, above):
    x, y, width, height, downsample = window
    if downsample not in (1, 2, 3):
        downsample = 2  # so that both windows begin on the same grid
    polygons = Polygons([outline(shape) for shape in shapes])
    large = polygons.raster(x - left * downsample, y - above * downsample, width + left, height + above, downsample)
    np.testing.assert_array_equal(large[above:, left:], polygons.raster(x, y, width, height, downsample))


@settings(deadline=None, max_examples=30)
@given(st.dictionaries(st.integers(0, 40), st.integers(0, 40), min_size=2, max_size=6).map(dict.items), windows)
def test_a_cut_leaves_no_gap_and_no_overlap(cut, window):
    """Two polygons along a common line share no pixel centre, on whichever side of the line it is."""
    inner = sorted((y / 2, x / 2) for y, x in cut)
    line = [(inner[0][1], -20.0), *((x, y) for y, x in inner), (inner[-1][1], 40.0)]
    left = outline([(-60.0, -20.0), *line, (-60.0, 40.0)])
    right = outline([(60.0, 40.0), *line[::-1], (60.0, -20.0)])
    drawn = [Polygons([part]).raster(*window).astype(int) for part in (left, right)]
    whole = Polygons([outline([(-60, -20), (60, -20), (60, 40), (-60, 40)])]).raster(*window)
    np.testing.assert_array_equal(drawn[0] + drawn[1], whole)


def test_very_many_vertices_at_any_height():
    """The index by rows: a comb of tall and short edges, drawn window by window."""
    rng = np.random.default_rng(0)
    angle = np.sort(rng.uniform(0, 2 * np.pi, 20_000))
    radius = rng.choice([300.0, 470, 490], len(angle))
    star = np.stack([500 + radius * np.cos(angle), 500 + radius * np.sin(angle)], 1)
    polygons = Polygons([Outline((star,))])
    whole = polygons.raster(0, 0, 1000, 1000, 1)
    assert 0.3 < whole.mean() < 0.8
    for x, y in ((0, 0), (470, 10), (30, 700), (900, 900)):
        np.testing.assert_array_equal(polygons.raster(x, y, 100, 100, 1), whole[y : y + 100, x : x + 100])
    points = [tuple(point) for point in star.tolist()]
    for x, y in rng.integers(0, 1000, (4, 2)):
        centre = Fraction(int(x)) + Fraction(1, 2), Fraction(int(y)) + Fraction(1, 2)
        assert whole[y, x] == (winding(centre, points) != 0)


def spiral(turns: float, drift: float = 6.0) -> np.ndarray:
    """A freehand loop around (80, 80), of radius 65 and a little more as it goes on, clockwise."""
    angle = np.linspace(0, 2 * np.pi * turns, round(200 * turns))
    radius = 65 + drift * angle / (2 * np.pi)
    return np.stack([80 + radius * np.cos(angle), 80 + radius * np.sin(angle)], 1)


@pytest.mark.parametrize("backwards", [False, True])
def test_a_loop_past_its_start_loses_nothing(backwards):
    loop = spiral(1.15)
    angle = np.arange(0, 360, 2) * np.pi / 180
    inner = np.stack([80 + 64.5 * np.cos(angle), 80 + 64.5 * np.sin(angle)], 1)
    drawn = Polygons([Outline((loop[::-1] if backwards else loop,))]).raster(0, 0, 160, 160, 1)
    within = Polygons([Outline((inner,))]).raster(0, 0, 160, 160, 1)
    assert within.sum() > 13_000
    assert drawn[within == 1].all()
    # the same by the angle under which each pixel sees the loop go by
    rows, columns = np.mgrid[:160, :160] + 0.5
    seen = np.angle(loop[:, 0, None, None] - columns + 1j * (loop[:, 1, None, None] - rows))
    steps = np.diff(seen, axis=0, append=seen[:1])
    angles = ((steps + np.pi) % (2 * np.pi) - np.pi).sum(0)
    np.testing.assert_array_equal(drawn, np.rint(angles / (2 * np.pi)) != 0)


def test_an_outline_drawn_twice_around_stays():
    once = Polygons([outline(SQUARE)]).raster(0, 0, 12, 6, 1)
    for ring in (SQUARE + SQUARE, (SQUARE + SQUARE)[::-1], SQUARE * 5):
        np.testing.assert_array_equal(Polygons([outline(ring)]).raster(0, 0, 12, 6, 1), once)
    hole = [(3.0, 2.0), (7.0, 2.0), (7.0, 4.0), (3.0, 4.0)]
    expected = once.copy()
    expected[2:4, 3:7] = 0
    for rings in ((SQUARE + SQUARE, hole), (SQUARE, hole + hole), (SQUARE, hole, hole[::-1]), (SQUARE, hole[::-1])):
        np.testing.assert_array_equal(Polygons([outline(*rings)]).raster(0, 0, 12, 6, 1), expected)


def test_both_lobes_of_an_eight_are_inside():
    eight = [(0.0, 0.0), (8.0, 8.0), (8.0, 0.0), (0.0, 8.0)]
    label = Polygons([outline(eight)]).raster(0, 0, 8, 8, 1)
    assert label[4, 0] == label[4, 7] == 1
    assert label[0, 4] == label[7, 4] == 0


def test_edges_belong_to_the_right_and_below():
    label = Polygons([outline([(0.5, 0.5), (2.5, 0.5), (2.5, 2.5), (0.5, 2.5)])]).raster(0, 0, 4, 4, 1)
    np.testing.assert_array_equal(label, np.pad(np.ones((2, 2)), ((0, 2), (0, 2))))


def test_overlaps_holes_and_what_is_cut_out():
    hole = [(3.0, 2.0), (7.0, 2.0), (7.0, 4.0), (3.0, 4.0)]
    over = [(6.0, 1.0), (10.0, 1.0), (10.0, 5.0), (6.0, 5.0)]
    outlines = [outline(SQUARE, hole), outline(over, number=2)]
    expected = np.zeros((6, 12), int)
    expected[1:5, 2:8] = 1
    expected[2:4, 3:7] = 0
    expected[1:5, 6:10] = 2  # overlapping outlines are added, not toggled, and the later one wins
    np.testing.assert_array_equal(Polygons(outlines).instances(0, 0, 12, 6, 1), expected)
    np.testing.assert_array_equal(Polygons(outlines).raster(0, 0, 12, 6, 1), expected > 0)

    cut = outline([(0.0, 0.0), (12.0, 0.0), (12.0, 2.0), (0.0, 2.0)], negative=True)
    region = (expected > 0).astype(int)
    region[:2] = 0
    np.testing.assert_array_equal(Polygons([cut, *outlines]).raster(0, 0, 12, 6, 1), region)
    expected[:2] = 0
    np.testing.assert_array_equal(Polygons([cut, *outlines]).instances(0, 0, 12, 6, 1), expected)

    unknown = np.where(region == 1, 1, 255)
    unknown[:2] = 0
    np.testing.assert_array_equal(Polygons([cut, *outlines], background=255).raster(0, 0, 12, 6, 1), unknown)
    region[:, :4] = 255
    ignored = outline([(0.0, 0.0), (4.0, 0.0), (4.0, 6.0), (0.0, 6.0)])
    np.testing.assert_array_equal(Polygons([cut, *outlines], [ignored]).raster(0, 0, 12, 6, 1), region)


def test_types_and_nothing_at_all():
    empty = Polygons([])
    assert empty.raster(0, 0, 3, 2, 4).dtype == np.uint8
    assert empty.instances(-5, 0, 3, 2, 4).dtype == np.int32
    assert empty.raster(0, 0, 3, 2, 4).shape == (2, 3)
    assert not empty.raster(0, 0, 3, 2, 4).any()
    copy = pickle.loads(pickle.dumps(Polygons([outline(SQUARE)])))
    assert copy.raster(0, 0, 10, 10, 1).sum() == 24


def test_outlines_outside_the_slide():
    inside, across = outline(SQUARE), outline([(-5.0, -5.0), (3.0, -5.0), (3.0, 3.0)], number=2)
    check_inside([inside, across], (10, 10), Path("a.xml"))
    assert Polygons([across]).raster(0, 0, 10, 10, 1).sum() > 0
    gone = outline([(10.0, 2.0), (12.0, 2.0), (12.0, 4.0)], name="Tumor", number=3)
    with pytest.raises(DataError, match=r"a\.xml: object 3 \(Tumor\).*outside the slide of 10x10"):
        check_inside([inside, gone], (10, 10), Path("a.xml"))
    with pytest.raises(DataError, match="another slide"):
        check_inside([outline([(-4.0, 2.0), (-2.0, 2.0), (0.0, 4.0)])], (10, 10), Path("a.xml"))


# Files.


def asap(*annotations: str) -> str:
    groups = '<AnnotationGroups><Group Name="Tumor" PartOfGroup="None" Color="#00ff00"><Attributes/></Group>'
    body = f"<Annotations>{''.join(annotations)}</Annotations>"
    return f'<?xml version="1.0"?><ASAP_Annotations>{body}{groups}</AnnotationGroups></ASAP_Annotations>'


def asap_annotation(points: list[tuple[object, object]], group: str = "Tumor", kind: str = "Polygon") -> str:
    listed = [f'<Coordinate Order="{n}" X="{x}" Y="{y}"/>' for n, (x, y) in enumerate(points)]
    head = f'<Annotation Name="Annotation 0" Type="{kind}" PartOfGroup="{group}" Color="#F4FA58">'
    # The order of points is in their attribute, not in the file.
    return f"{head}<Coordinates>{''.join(listed[::-1])}</Coordinates></Annotation>"


def aperio(*layers: str) -> str:
    each = [
        f'<Annotation Id="{n}" Name=""><Regions>{layer}</Regions></Annotation>' for n, layer in enumerate(layers, 1)
    ]
    return f'<Annotations MicronsPerPixel="0.5">{"".join(each)}</Annotations>'


def region(points: list[tuple[object, object]], kind: str = "0", negative: str = "0") -> str:
    listed = "".join(f'<Vertex X="{x}" Y="{y}" Z="0"/>' for x, y in points)
    return f'<Region Id="1" Type="{kind}" NegativeROA="{negative}"><Attributes/><Vertices>{listed}</Vertices></Region>'


def feature(points: list, kind: str = "Polygon", name: str | None = "Tumor") -> dict:
    properties: dict = {"objectType": "annotation"}
    if name:
        properties["classification"] = {"name": name, "color": [200, 0, 0]}
    return {"type": "Feature", "geometry": {"type": kind, "coordinates": points}, "properties": properties}


def closed(points: list) -> list:
    return [list(point) for point in [*points, points[0]]]


def test_asap(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(asap(asap_annotation(SQUARE, "_0"), asap_annotation(SQUARE[:3], "_2", "Spline")))
    first, second = read_asap_xml(path)
    np.testing.assert_array_equal(first.rings[0], SQUARE)
    assert (first.name, first.number, second.name, second.number) == ("_0", 1, "_2", 2)
    assert [found.number for found in read_asap_xml(path, ["_2"])] == [2]
    assert Polygons([first]).raster(0, 0, 10, 10, 1).sum() == 24


def test_aperio(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(aperio(region(closed(SQUARE)), region(SQUARE, "1") + region(SQUARE[:3], negative="1")))
    outlines = read_aperio_xml(path)
    np.testing.assert_array_equal(outlines[0].rings[0], SQUARE)  # a repeated first point is left out
    assert [(found.name, found.number, found.negative) for found in outlines] == [
        ("1", 1, False),
        ("2", 2, False),
        ("2", 3, True),
    ]
    assert [found.number for found in read_aperio_xml(path, ["2"])] == [2, 3]


def test_geojson(tmp_path):
    path = tmp_path / "a.geojson"
    hole = [(3, 2), (7, 2), (7, 4), (3, 4)]
    other = [(20, 20), (24, 20), (24, 24)]
    features = [
        feature([closed(SQUARE), closed(hole)]),
        feature([[closed(SQUARE), closed(hole)], [closed(other)]], "MultiPolygon", None),
        feature([closed(other)]),
    ]
    features[2]["properties"]["classification"] = {"names": ["Tumor", "Positive"], "color": [200, 0, 0]}
    for content in (features, {"type": "FeatureCollection", "features": features}):
        path.write_text(json.dumps(content))
        outlines, left_out = read_geojson(path)
        assert not left_out
        assert [(found.name, found.number, len(found.rings)) for found in outlines] == [
            ("Tumor", 1, 2),
            ("", 2, 2),
            ("", 2, 1),
            ("Tumor: Positive", 3, 1),
        ]
        label = Polygons(outlines[1:3]).instances(0, 0, 30, 30, 1)
        assert set(np.unique(label).tolist()) == {0, 2}
        assert (label > 0).sum() == 24 - 8 + (Polygons([outline(other)]).raster(0, 0, 30, 30, 1)).sum()
    assert [found.number for found in read_geojson(path, ["Tumor"]).outlines] == [1]
    assert [found.number for found in read_geojson(path, [""]).outlines] == [2, 2]
    path.write_text(json.dumps(features[0]))
    assert len(read_geojson(path).outlines) == 1


def test_geojson_as_this_project_writes_it(tmp_path):
    from zoo.images.geojson import feature_collection

    labels = np.zeros((40, 50), np.int32)
    labels[3:20, 5:30], labels[8:12, 9:14], labels[20:35, 29:40], labels[36, 1] = 1, 0, 2, 3
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(feature_collection(labels, exact=True)))
    np.testing.assert_array_equal(Polygons(read_geojson(path).outlines).instances(0, 0, 50, 40, 1), labels)


WRITE = {
    read_asap_xml: lambda points: asap(asap_annotation(SQUARE), asap_annotation(points)),
    read_aperio_xml: lambda points: aperio(region(SQUARE), region(points)),
    read_geojson: lambda points: json.dumps([feature([closed(SQUARE)]), feature([points])]),
}


@pytest.mark.parametrize("read", WRITE)
@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([], "0 point"),
        ([(1, 2)], "1 point"),
        ([(1, 2), (3, 4)], "2 point"),
        ([(1, 2), (3, 4), (1, 2)], "2 point"),
        ([(1, 2), ("a", 4), (5, 6), (1, 2)], "no pair of numbers"),
        ([(1, 2), ("nan", 4), (5, 6), (1, 2)], "is nowhere"),
        ([(1, 2), ("inf", 4), (5, 6), (1, 2)], "is nowhere"),
    ],
)
def test_wrong_points_are_named(tmp_path, read, points, message):
    path = tmp_path / "a.file"
    path.write_text(WRITE[read](points))
    if read is read_geojson and "point" in message:  # it encloses nothing, which is left out there
        assert read(path).left_out == {"empty Polygon": 1}
        return
    with pytest.raises(DataError, match=rf"a\.file: (annotation|region|object) 2 .*({message})"):
        read(path)


def test_open_rings_are_open_in_geojson_only(tmp_path):
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps([feature([SQUARE])]))
    with pytest.raises(DataError, match=r"object 1 \(Tumor\): is open"):
        read_geojson(path)


@pytest.mark.parametrize("kind", ["Dot", "PointSet", "Measurement", ""])
def test_asap_marks_that_are_no_areas(tmp_path, kind):
    path = tmp_path / "a.xml"
    path.write_text(asap(asap_annotation(SQUARE, "_0"), asap_annotation(SQUARE, kind=kind)))
    with pytest.raises(DataError, match=r"annotation 2 \(Annotation 0, group Tumor\): is no polygon"):
        read_asap_xml(path)
    assert len(read_asap_xml(path, ["_0"])) == 1  # others are not looked at


@pytest.mark.parametrize(
    ("kind", "name"), [("2", "ellipse"), ("3", "arrow"), ("4", "line"), ("5", "point"), ("9", "9")]
)
def test_aperio_marks_that_are_no_polygons(tmp_path, kind, name):
    path = tmp_path / "a.xml"
    path.write_text(aperio(region(SQUARE), region(SQUARE, kind)))
    with pytest.raises(DataError, match=rf"region 2 \(layer 2\): is no polygon but .*{name}"):
        read_aperio_xml(path)
    assert len(read_aperio_xml(path, ["1"])) == 1


def test_geojson_leaves_out_what_encloses_nothing(tmp_path):
    path = tmp_path / "a.geojson"
    collection = [
        {"type": "Point", "coordinates": [1, 2]},
        {"type": "Polygon", "coordinates": [closed(SQUARE)]},
        {"type": "GeometryCollection", "geometries": [{"type": "MultiPolygon", "coordinates": [[closed(SQUARE[:3])]]}]},
    ]
    features = [
        {"type": "Feature", "geometry": None},
        {"type": "Feature"},
        {"type": "Feature", "geometry": {}},
        feature([1, 2], "Point"),
        feature(SQUARE, "MultiPoint"),
        feature(SQUARE, "LineString"),
        feature([SQUARE], "MultiLineString"),
        feature([]),
        feature([[]], "MultiPolygon"),
        feature([[(1, 2), (3, 4), (1, 2)]]),
        feature([(1, 2)], "Point", "Stroma"),
        feature([closed(SQUARE), [], [(1, 2), (1, 2)]]),
        {"type": "Feature", "geometry": {"type": "GeometryCollection", "geometries": collection}},
        {"type": "Feature", "geometry": {"type": "GeometryCollection", "geometries": collection[:1]}},
    ]
    path.write_text(json.dumps(features))
    outlines, left_out = read_geojson(path, ["Tumor", ""])
    assert [(found.number, len(found.rings)) for found in outlines] == [(12, 1), (13, 1), (13, 1)]
    np.testing.assert_array_equal(outlines[0].rings[0], SQUARE)
    assert left_out == {
        "without a geometry": 3,
        "Point": 1,
        "MultiPoint": 1,
        "LineString": 1,
        "MultiLineString": 1,
        "empty Polygon": 2,
        "empty MultiPolygon": 1,
        "GeometryCollection": 1,
    }


def test_geojson_that_is_none(tmp_path):
    path = tmp_path / "a.geojson"
    for wrong, named in (
        (feature(SQUARE, "Circle"), "no geometry of GeoJSON but Circle"),
        ({"type": "Feature", "geometry": {"coordinates": []}}, "one without a type"),
        ({"type": "Feature", "geometry": 7}, "no geometry of GeoJSON but 7"),
        (feature(3), "3 stands for coordinates"),
        (3, "no feature but 3"),
    ):
        path.write_text(json.dumps([feature([closed(SQUARE)]), wrong]))
        with pytest.raises(DataError, match=rf"a\.geojson: object 2 .*{named}"):
            read_geojson(path)


def test_geojson_cells_and_their_nuclei(tmp_path):
    path = tmp_path / "a.geojson"
    nucleus = [(3.0, 2.0), (7.0, 2.0), (7.0, 4.0), (3.0, 4.0)]
    cell = feature([closed(SQUARE)]) | {"nucleusGeometry": {"type": "Polygon", "coordinates": [closed(nucleus)]}}
    bare = feature([closed(SQUARE)])
    bare["properties"]["objectType"] = "cell"
    path.write_text(json.dumps([cell, bare, feature([closed(SQUARE)])]))
    for geometry, rings, left_out in (
        (None, [SQUARE, SQUARE, SQUARE], {"nuclei of cells (--geometry nucleus takes them)": 1}),
        ("cell", [SQUARE, SQUARE, SQUARE], {}),
        ("nucleus", [nucleus, SQUARE], {"without a nucleus": 1}),
    ):
        found = read_geojson(path, geometry=geometry)
        assert [each.rings[0].tolist() for each in found.outlines] == [[list(p) for p in ring] for ring in rings]
        assert found.left_out == left_out


def test_other_files(tmp_path):
    path = tmp_path / "a.file"
    for read in (read_asap_xml, read_aperio_xml, read_geojson):
        with pytest.raises(DataError, match=r"a\.file: can't be read"):
            read(path)
    path.write_text("<Annotations><Annot")
    for read in (read_asap_xml, read_aperio_xml):
        with pytest.raises(DataError, match=r"a\.file: not an XML file"):
            read(path)
    with pytest.raises(DataError, match=r"a\.file: not a JSON file"):
        read_geojson(path)
    path.write_text(aperio(region(SQUARE)))
    with pytest.raises(DataError, match="not <ASAP_Annotations>"):
        read_asap_xml(path)
    path.write_text(asap(asap_annotation(SQUARE)))
    with pytest.raises(DataError, match="not <Annotations>"):
        read_aperio_xml(path)
    for content in ('{"type": "Topology"}', "3", '{"features": 3}'):
        path.write_text(content)
        with pytest.raises(DataError, match="no features"):
            read_geojson(path)


# Masks.


def save_mask(path: Path, mask: np.ndarray) -> None:
    match path.name:
        case "strips.tif":
            tifffile.imwrite(path, mask, compression="zlib", rowsperstrip=5)
        case "tiles.tif":
            tifffile.imwrite(path, mask, tile=(16, 16), compression="zlib")
        case "pyramid.tif":
            with tifffile.TiffWriter(path) as writer:
                writer.write(mask, tile=(16, 16))
                writer.write(mask[::2, ::2] * 0 + 7, tile=(16, 16), subfiletype=1)
        case _:
            Image.fromarray(mask).save(path)


@pytest.mark.parametrize("name", ["strips.tif", "tiles.tif", "pyramid.tif", "mask.png"])
@pytest.mark.parametrize("factor", [1, 4])
def test_masks_are_sampled_at_pixel_centres(tmp_path, name, factor):
    rng = np.random.default_rng(1)
    mask = rng.integers(0, 3, (45, 60), np.uint8)
    save_mask(tmp_path / name, mask)
    slide = MaskSlide(tmp_path / name, (60 * factor, 45 * factor), ignore=2)
    for x, y, width, height, downsample in (
        (0, 0, 60, 45, factor),
        (-9, 7, 50, 30, 2),
        (30, 20, 20, 20, 3),
        (500, 0, 2, 2, 1),
    ):
        expected = np.zeros((height, width), int)
        for row in range(height):
            for column in range(width):
                u = int(np.floor((x + (column + 0.5) * downsample) / factor))
                v = int(np.floor((y + (row + 0.5) * downsample) / factor))
                if 0 <= u < 60 and 0 <= v < 45:
                    expected[row, column] = mask[v, u]
        np.testing.assert_array_equal(slide.instances(x, y, width, height, downsample), expected)
        np.testing.assert_array_equal(slide.raster(x, y, width, height, downsample), np.choose(expected, (0, 1, 255)))


def test_masks_that_do_not_fit(tmp_path):
    path = tmp_path / "tiles.tif"
    with pytest.raises(DataError, match="no such file"):
        MaskSlide(path, (60, 45))
    save_mask(path, np.ones((45, 60), np.uint8))
    for size in ((120, 91), (121, 90), (121, 91), (119, 89), (60, 45)):
        MaskSlide(path, size)  # a remainder may be cut off or filled up
    for size in ((45, 60), (120, 45), (123, 90), (30, 22), (61, 45)):
        with pytest.raises(DataError, match=r"tiles\.tif: 60x45 px is no whole fraction"):
            MaskSlide(path, size)
    tifffile.imwrite(path, np.ones((45, 60, 3), np.uint8), photometric="rgb")
    with pytest.raises(DataError, match="one channel"):
        MaskSlide(path, (60, 45))
    path.write_bytes(b"no picture")
    with pytest.raises(DataError, match="can't be read as a mask"):
        MaskSlide(path, (60, 45))
    tifffile.imwrite(path, np.ones((45, 60), np.uint8), compression="zlib")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="check that it is complete"):
        MaskSlide(path, (60, 45))


@pytest.mark.parametrize(
    ("classification", "name"),
    [
        ({"name": "Tumor"}, "Tumor"),
        ({"names": ["Tumor", "Positive"]}, "Tumor: Positive"),
        ({"name": None, "names": ["Tumor"]}, "Tumor"),
        ({"name": None}, ""),
        ({"names": None}, ""),
        ({"names": 3}, ""),
        (None, ""),
    ],
)
def test_classes_of_qupath(classification, name):
    assert class_of({"type": "Feature", "properties": {"classification": classification}}) == name

"""Files that leave the annotator are read again by what they are for."""

import json

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image

from data_prep.annotations import Polygons, read_geojson
from tests.helpers.annotator import begin, click, done, mask_of, refused, said
from tests.helpers.outlines import check_valid
from tests.helpers.protocols import iou, raster
from tests.helpers.tiny import tiny_experiment
from zoo.cli import main
from zoo.images.labels import read_labels, write_labels
from zoo.images.reading import read_image
from zoo.store.reader import Store

RING = [[20, 20], [60, 20], [60, 60], [20, 60], [20, 20]]
HOLE = [[30, 30], [40, 30], [40, 40], [30, 40], [30, 30]]
APART = [[70, 70], [90, 70], [90, 95], [70, 95], [70, 70]]
WITH_HOLE = {"type": "MultiPolygon", "coordinates": [[RING, HOLE], [APART]]}
PLAIN = {"type": "Polygon", "coordinates": [[[100, 100], [180, 100], [180, 150], [100, 150], [100, 100]]]}


def export(client, kind, path, image="a.png", **more):
    asked = {"format": kind, **more} | ({} if image is None else {"image": image})
    response = client.get("/api/export", params=asked)
    assert response.status_code == 200, response.text
    assert "attachment" in response.headers["content-disposition"]
    path.write_bytes(response.content)
    return path


def take(client, content, image="a.png", **more):
    headers = {"content-type": "application/octet-stream"}
    return client.post("/api/import/labels", params={"image": image, **more}, content=content, headers=headers)


@pytest.fixture
def two(client):
    """One with a hole and a part apart, one beside it."""
    return [
        begin(client, geometry=WITH_HOLE, **{"class": "Tumor"}),
        begin(client, geometry=PLAIN, **{"class": "Stroma: dense"}),
    ]


def test_geojson_is_read_again_as_the_masks(client, two, tmp_path):
    path = export(client, "geojson", tmp_path / "a.geojson")
    outlines, left_out = read_geojson(path)
    assert not left_out
    assert [each.name for each in outlines] == ["Tumor", "Tumor", "Stroma: dense"]
    again = Polygons(outlines).instances(0, 0, 200, 200, 1)
    np.testing.assert_array_equal(again == 1, mask_of(client, two[0]["id"]))
    np.testing.assert_array_equal(again == 2, mask_of(client, two[1]["id"]))
    assert not (again == 1)[30:40, 30:40].any()
    first = json.loads(path.read_text())["features"][0]
    assert first["id"].replace("-", "") == two[0]["id"]
    assert first["properties"]["measurements"]["Area px^2"] == two[0]["area"]


def test_geojson_comes_in_again(client, two, tmp_path):
    content = json.loads(export(client, "geojson", tmp_path / "a.geojson").read_text())
    objects = done(client.post("/api/import", json={"image": "a.png", "geojson": content}))["objects"]
    assert [(each["class"], each["area"]) for each in objects] == [(each["class"], each["area"]) for each in two]
    assert [each["bounds"] for each in objects] == [each["bounds"] for each in two]
    assert said(client, objects[0]["id"], click(30.5, 90.5))["area"] != objects[0]["area"]
    refused(client.post("/api/import", json={"image": "a.png", "geojson": {"type": "Point"}}), 422, "GeoJSON")


def blob(x, y, radius, waves):
    angle = np.linspace(0, 2 * np.pi, 60)
    far = radius * (1 + 0.2 * np.sin(waves * angle))
    return np.stack([x + far * np.cos(angle), y + far * np.sin(angle)], -1).tolist()


def rastered(geometry):
    return raster(geometry, (1200, 1500))


def feature(geometry, **properties):
    return {"type": "Feature", "geometry": geometry, "properties": properties}


@pytest.mark.parametrize(
    ("classification", "name"),
    [
        ({"name": None}, None),
        ({"name": None, "names": ["Tumor", "Positive"]}, "Tumor: Positive"),
        ({"name": "Tumor: Positive", "names": []}, "Tumor: Positive"),
        ({}, None),
        (None, None),
    ],
)
def test_what_has_no_class_comes_in_without(client, classification, name):
    sent = {"image": "a.png", "geojson": feature(PLAIN, classification=classification)}
    assert done(client.post("/api/import", json=sent))["objects"][0]["class"] == name
    other = done(client.post("/api/import", json=sent | {"class": "Gland"}))["objects"][0]
    assert other["class"] == (name or "Gland")


@pytest.mark.parametrize("wrapped", [feature, lambda geometry: geometry, lambda geometry: [feature(geometry)]])
def test_a_collection_of_geometries_comes_in(client, wrapped):
    both = {"type": "GeometryCollection", "geometries": [PLAIN, {"type": "Point", "coordinates": [1, 1]}, WITH_HOLE]}
    objects = done(client.post("/api/import", json={"image": "a.png", "geojson": wrapped(both)}))["objects"]
    assert [each["area"] for each in objects] == [80 * 50, 40 * 40 - 10 * 10 + 20 * 25]


def test_of_many_it_is_said_which_one_lies_outside(client):
    away = {"type": "Polygon", "coordinates": [[[900, 900], [950, 900], [950, 950]]]}
    sent = {"type": "FeatureCollection", "features": [feature(PLAIN), feature(None), feature(away), feature(PLAIN)]}
    refused(client.post("/api/import", json={"image": "a.png", "geojson": sent}), 422, "object 3", "200 x 200")
    assert done(client.get("/api/objects", params={"image": "a.png"}))["objects"] == []


def test_outlines_come_back_as_fine_as_they_were(client, tmp_path):
    """Their checkpoint sees every second pixel of the slide."""
    cross = [[300, 300], [340, 330], [340, 300], [300, 330], [300, 300]]  # is valid once it is two triangles
    given = [
        {"type": "Polygon", "coordinates": [blob(100.3, 90.6, 11, 5)]},
        {"type": "Polygon", "coordinates": [blob(200, 120, 40, 7), blob(195, 121, 9, 3)]},
        {"type": "Polygon", "coordinates": [blob(2, 500, 14, 4)]},
        {"type": "Polygon", "coordinates": [cross]},
    ]
    content = [{"type": "Feature", "geometry": each, "properties": {}} for each in given]
    made = done(client.post("/api/import", json={"image": "slide.svs", "geojson": content}))["objects"]
    assert all(each["mpp"] == 0.5 for each in made)
    found = json.loads(export(client, "geojson", tmp_path / "a.geojson", "slide.svs").read_text())["features"]
    labels = read_labels(export(client, "png", tmp_path / "a.png", "slide.svs"))
    for number, (before, after) in enumerate(zip(given, found, strict=True), 1):
        wanted, shapes = rastered(before), after["geometry"]["coordinates"]
        check_valid(shapes if after["geometry"]["type"] == "MultiPolygon" else [shapes])
        assert iou(wanted, rastered(after["geometry"])) > 0.98
        assert after["properties"]["measurements"]["Area px^2"] == wanted.sum()
        np.testing.assert_array_equal(labels == number, wanted)
    changed = said(client, made[1]["id"], click(200.5, 120.5))
    found = json.loads(export(client, "geojson", tmp_path / "b.geojson", "slide.svs").read_text())["features"]
    assert found[1]["properties"]["measurements"]["Area px^2"] == changed["area"]


@pytest.mark.parametrize(("kind", "suffix"), [("png", ".png"), ("tiff", ".tif")])
def test_label_images_hold_each_object(client, two, tmp_path, kind, suffix):
    labels = read_labels(export(client, kind, tmp_path / f"labels{suffix}"))
    assert labels.shape == (200, 200)
    for number, each in enumerate(two, 1):
        np.testing.assert_array_equal(labels == number, mask_of(client, each["id"]))


def labels_png(path, highest):
    labels = np.zeros((200, 200), np.int32)
    for number in range(1, highest + 1):
        row, column = divmod(number - 1, 20)
        labels[10 * row : 10 * row + 6, 10 * column + 2 : 10 * column + 9] = number
    write_labels(path, labels)
    return path.read_bytes()


def test_label_images_of_16_bits_come_in_again(client, tmp_path):
    given = labels_png(tmp_path / "given.png", 300)
    made = done(take(client, given, **{"class": "Nucleus", "mpp": 0.5}))["objects"]
    assert {(each["area"], each["class"]) for each in made} == {(42, "Nucleus")}
    labels = read_labels(export(client, "png", tmp_path / "labels.png"))
    np.testing.assert_array_equal(labels, read_labels(tmp_path / "given.png"))


LABELS = np.zeros((200, 200), np.int32)
LABELS[20:60, 30:80] = 1
LABELS[100:150, 30:80] = 250
TIFF = {"compression": "zlib"}
COLOURS = np.zeros((251, 3), np.uint8)
COLOURS[[1, 250]] = (200, 30, 30), (200, 31, 30)


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("8.tif", lambda path: tifffile.imwrite(path, LABELS.astype(np.uint8))),
        ("16.tif", lambda path: tifffile.imwrite(path, (LABELS * 200).astype(np.uint16))),
        ("32.tif", lambda path: tifffile.imwrite(path, LABELS * 7_000_000, bigtiff=True, byteorder=">", **TIFF)),
        ("turned.tif", lambda path: tifffile.imwrite(path, LABELS[::-1].astype(np.uint8), extratags=[(274, 3, 1, 4)])),
        ("colours.tif", lambda path: tifffile.imwrite(path, COLOURS[LABELS], photometric="rgb", **TIFF)),
        ("colours.png", lambda path: Image.fromarray(COLOURS[LABELS]).save(path)),
        ("colours.bmp", lambda path: Image.fromarray(COLOURS[LABELS]).save(path)),
        ("indices.gif", lambda path: Image.fromarray(LABELS.astype(np.uint8)).save(path)),
        ("labels.npy", lambda path: np.save(path, LABELS)),
    ],
)  # fmt: skip
def test_label_images_that_are_read_from_disk_come_in(client, tmp_path, name, save):
    save(tmp_path / name)
    made = done(take(client, (tmp_path / name).read_bytes()))["objects"]
    assert len(made) == 2
    for number, each in zip((1, 250), made, strict=True):
        whole = np.zeros((200, 200), bool)
        x, y, width, height = map(int, each["region"])
        whole[y : y + height, x : x + width] = mask_of(client, each["id"])
        np.testing.assert_array_equal(whole, number == LABELS)


def test_tiffs_that_are_no_label_image_are_refused(shared, tmp_path):
    path = tmp_path / "labels.tif"
    tifffile.imwrite(path, np.random.default_rng(0).integers(0, 9, (200, 200), np.uint16))
    whole = path.read_bytes()
    for given in (whole[:-30_000], whole[:40], whole[:4]):
        sentence = refused(take(shared, given), 422, "the label image can't be read")
        assert "labels.tif" not in sentence
    refused(take(shared, whole, image="deep/b.png"), 422, "200 x 200", "90 x 120")
    tifffile.imwrite(path, np.ones((3, 200, 200), np.uint8), photometric="minisblack")
    refused(take(shared, path.read_bytes()), 422, "the label image holds 3 pages", "PNG, TIFF")
    tifffile.imwrite(path, np.zeros((5000, 5000), np.uint8), **TIFF)
    refused(take(shared, path.read_bytes()), 422, "5000 x 5000")
    refused(take(shared, b""), 422, "PNG")


def test_label_images_that_are_refused(shared, tmp_path, monkeypatch):
    given = labels_png(tmp_path / "given.png", 3)
    refused(take(shared, given, image="deep/b.png"), 422, "200 x 200", "90 x 120")
    refused(take(shared, b"no picture"), 422, "PNG")
    refused(take(shared, given[:-30]), 422, "the label image can't be read")
    refused(take(shared, labels_png(tmp_path / "none.png", 0)), 422, "all 0")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)).save(tmp_path / "photo.png")
    sentence = refused(take(shared, (tmp_path / "photo.png").read_bytes()), 422, "the label image has 39", "colours")
    assert str(tmp_path.parent) not in sentence
    monkeypatch.setattr("zoo.annotate.labelled.MOST_FEATURES", 2)
    refused(take(shared, given), 413, "3 numbers")


def test_a_label_image_of_a_slide_has_its_pixels(client, tmp_path):
    made = begin(client, click(500, 400), image="slide.svs", region=[400, 300, 200, 160])
    labels = read_labels(export(client, "png", tmp_path / "labels.png", "slide.svs"))
    assert labels.shape == (1200, 1500)
    expected = mask_of(client, made["id"]).repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(labels[300:460, 400:600] > 0, expected)
    assert labels.sum() == expected.sum()


def test_a_large_slide_becomes_a_pyramid(client, tmp_path, monkeypatch):
    made = begin(client, click(500, 400), image="slide.svs", region=[400, 300, 200, 160])
    monkeypatch.setattr("zoo.annotate.exports.LARGE", 1000)
    labels = read_labels(export(client, "tiff", tmp_path / "labels.tif", "slide.svs"))
    assert labels.shape == (600, 750)
    np.testing.assert_array_equal(labels[150:230, 200:300] > 0, mask_of(client, made["id"]))
    assert read_image(tmp_path / "labels.tif").mpp == pytest.approx(0.5)
    refused(client.get("/api/export", params={"image": "slide.svs", "format": "png"}), 413, "TIFF")


def test_a_store_trains_at_once_and_keeps_what_was_said(client, originals, tmp_path):
    made = begin(client, click(16.5, 14.5))
    said(client, made["id"], click(60.5, 70.5, False), click(90.5, 20.5))
    begin(client, geometry=PLAIN)
    path = export(client, "store", tmp_path / "a.h5")
    store = Store(path)
    (group,) = store.groups
    assert (group.height, group.width, group.split, group.patient) == (200, 200, "train", "a")
    assert (store.image(group.name, 0) == read_image(originals / "a.png").pixels).all()
    labels = store.label(group.name, 0)
    mask = mask_of(client, made["id"])
    np.testing.assert_array_equal((labels == 1)[:100], mask[:100])  # the later object has what both claim
    kept = json.loads(store.interactions(group.name))
    first = kept["objects"][0]
    assert first["id"] == 1
    assert [(each["x"], each["turn"]) for each in first["interactions"]] == [(16.5, 0), (60.5, 1), (90.5, 1)]
    begin(client, geometry={"type": "Polygon", "coordinates": [RING]}, image="deep/b.png")
    path = export(client, "store", tmp_path / "both.h5", None)
    assert [(each.patient, each.split) for each in Store(path).groups] == [("a", "train"), ("deep/b", "val")]
    experiment = tiny_experiment(tmp_path, max_steps=1, limit_val_batches=0)
    content = yaml.safe_load(experiment.read_text())
    content["data"] |= {"files": [str(path)], "batch_size": 2}
    experiment.write_text(yaml.safe_dump(content))
    assert main(["fit", "-c", str(experiment)]) == 0
    assert (tmp_path / "last.ckpt").is_file()


def test_a_store_of_a_slide_holds_the_regions_that_were_worked_on(client, tmp_path, monkeypatch):
    monkeypatch.setattr("zoo.annotate.stores.WHOLE", 1000)
    for x in (400, 500, 1000):
        begin(client, click(x + 50, 350), image="slide.svs", region=[x, 300, 200, 160])
    store = Store(export(client, "store", tmp_path / "a.h5", "slide.svs", split="test"))
    assert [(each.width, each.height, each.mpp) for each in store.groups] == [(150, 80, 0.5), (100, 80, 0.5)]
    assert [store.origins(each.name).tolist() for each in store.groups] == [[[400, 300]], [[1000, 300]]]
    said_of = [json.loads(store.interactions(each.name))["objects"] for each in store.groups]
    assert said_of[1][0]["interactions"][0]["x"] == 25
    assert {each.split for each in store.groups} == {"test"}


def test_nothing_to_export(client):
    refused(client.get("/api/export", params={"image": "a.png", "format": "store"}), 409, "segment")
    refused(client.get("/api/export", params={"image": "a.png", "format": "exe"}), 422)
    assert done(client.get("/api/export", params={"image": "a.png", "format": "geojson"}))["features"] == []


def test_polygons_of_one_object(client, two):
    found = done(client.get(f"/api/objects/{two[0]['id']}/polygons"))
    assert found["geometry"]["type"] == "MultiPolygon"
    assert [len(rings) for rings in found["geometry"]["coordinates"]] == [2, 1]
    empty = begin(client)
    assert done(client.get(f"/api/objects/{empty['id']}/polygons"))["geometry"] is None

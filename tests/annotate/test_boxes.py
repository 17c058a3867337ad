"""A box around an object, told to methods of clicks: in a session as in the viewers' protocols."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.helpers.annotator import begin, click, client_of, done, mask_of, models_of, refused, said
from tests.helpers.protocols import base64_of, file, photo, raster, ring
from tests.helpers.protocols import client_of as server_of
from tests.helpers.protocols import models as rings
from tests.helpers.slides import EMBEDDED
from zoo.annotate.models import Models
from zoo.store.reader import Store

SIZE = (150, 200)
BOX = (40, 50, 101, 111)
CENTRE = (70.5, 80.5)
NUCLEI = 12


def boxed(x0, y0, x1, y1):
    return {"type": "box", "x0": x0, "y0": y0, "x1": x1, "y1": y1}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The annotator's API and the protocols in one."""
    folder = tmp_path_factory.mktemp("photo")
    Image.fromarray(photo(*SIZE)).save(folder / "a.png")
    with server_of(folder, rings()) as client:
        yield client


def test_a_box_is_answered_as_by_the_protocols(server):
    made = begin(server, boxed(*BOX))
    mask = mask_of(server, made["id"])
    np.testing.assert_array_equal(mask, ring(SIZE, CENTRE, box=BOX))
    body = {"type": "vit_l", "bbox": BOX, "b64img": base64_of(file(photo(*SIZE))), "checkpoint_url": "rings"}
    (feature,) = done(server.post("/sam/", json=body))
    polygons = done(server.get(f"/api/objects/{made['id']}/polygons"))
    np.testing.assert_array_equal(raster(feature["geometry"], SIZE), raster(polygons["geometry"], SIZE))


def test_what_is_said_around_a_box_counts(server):
    made = begin(server, boxed(*BOX))
    kept = said(server, made["id"], click(80, 105, positive=False))
    np.testing.assert_array_equal(mask_of(server, made["id"]), ring(SIZE, CENTRE, box=BOX, gone=((80, 105),)))
    assert [each["type"] for each in kept["interactions"]] == ["box", "click"]
    said(server, made["id"], click(130, 80))  # the object goes on there
    both = ring(SIZE, CENTRE, (130, 80), gone=((80, 105),))
    np.testing.assert_array_equal(mask_of(server, made["id"]), both)
    done(server.post(f"/api/objects/{made['id']}/undo"))
    done(server.delete(f"/api/objects/{made['id']}/interactions/2"))
    np.testing.assert_array_equal(mask_of(server, made["id"]), ring(SIZE, CENTRE, box=BOX))


def test_a_box_corrects_what_was_there(server):
    made = begin(server, click(130, 80))
    said(server, made["id"], boxed(*BOX))
    np.testing.assert_array_equal(mask_of(server, made["id"]), ring(SIZE, (130, 80), CENTRE))
    square = [[[100, 60], [140, 60], [140, 100], [100, 100], [100, 60]]]
    outlined = begin(server, geometry={"type": "Polygon", "coordinates": square})
    said(server, outlined["id"], boxed(*BOX))
    np.testing.assert_array_equal(mask_of(server, outlined["id"]), ring(SIZE, CENTRE))


def test_a_box_is_there_after_a_restart(originals, index, tmp_path):
    options = {"save": tmp_path / "a.sqlite"}
    with client_of(originals, models_of(index), **options) as client:
        made = begin(client, boxed(30, 40, 61, 72), checkpoint="fine")
        mask = mask_of(client, made["id"])
    rows, columns = mask.nonzero()
    assert mask.any()
    assert rows.min() >= 40
    assert rows.max() < 72
    assert columns.min() >= 30
    assert columns.max() < 61
    with client_of(originals, models_of(index), **options) as client:
        assert done(client.get(f"/api/objects/{made['id']}"))["interactions"] == made["interactions"]
        done(client.post(f"/api/objects/{made['id']}/undo"))
        assert not mask_of(client, made["id"]).any()
        done(client.post(f"/api/objects/{made['id']}/redo"))
        np.testing.assert_array_equal(mask_of(client, made["id"]), mask)


def test_boxes_around_nuclei_are_as_good_as_clicks(tmp_path):
    """Of the shipped default checkpoint, on test images."""
    store = Store(EMBEDDED)
    name = next(group.name for group in store.groups if group.patient == "stain-1")
    labels = store.label(name, 0)
    Image.fromarray(store.image(name, 0)).save(tmp_path / "a.png")
    store.close()
    areas = np.bincount(labels.ravel())[1:]
    nuclei = np.argsort(areas)[::-1][:NUCLEI] + 1
    found = []
    with client_of(tmp_path, Models(index=[])) as client:
        for number in nuclei:
            target = labels == number
            rows, columns = target.nonzero()
            sides = [float(side) for side in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)]
            centre = click((sides[0] + sides[2]) / 2, (sides[1] + sides[3]) / 2)
            masks = [mask_of(client, begin(client, each)["id"]) for each in (boxed(*sides), centre)]
            found.append([(mask & target).sum() / (mask | target).sum() for mask in masks])
    by_box, by_click = np.mean(found, 0)
    print(f"\nmean IoU of {NUCLEI} nuclei: {by_box:.3f} by a box, {by_click:.3f} by a click")
    assert by_box >= by_click
    assert by_box > 0.7


@pytest.fixture(scope="module")
def uneven(models, tmp_path_factory):
    """Of an image that is 50.5 x 45.5 pixels as `whole` sees it."""
    folder = tmp_path_factory.mktemp("uneven")
    Image.fromarray(photo(91, 101)).save(folder / "a.png", dpi=(101_600, 101_600))
    with client_of(folder, models, save=folder / "a.sqlite") as client:
        yield client


LINE = {"type": "scribble", "points": [[60, 60], [101, 91]], "positive": True, "width": 5}


@pytest.mark.parametrize("said_there", [boxed(60, 60, 101, 91), click(100.9, 90.9), click(101, 20), LINE])
def test_all_of_an_image_can_be_told_of(uneven, said_there):
    made = begin(uneven, said_there)
    assert made["size"] == [45, 50]
    assert mask_of(uneven, made["id"]).any()
    assert {key: made["interactions"][0][key] for key in said_there} == said_there
    after = said(uneven, made["id"], said_there)
    assert after["undo"] == 2
    refused(uneven.post("/api/objects", json={"image": "a.png", "interactions": [click(102.5, 20)]}), 422, "outside")


def test_what_was_said_at_the_edge_is_stored(uneven, tmp_path):
    begin(uneven, boxed(60, 60, 101, 91))
    (tmp_path / "a.h5").write_bytes(uneven.get("/api/export?image=a.png&format=store").content)
    store = Store(tmp_path / "a.h5")
    (group,) = store.groups
    stored = [each for one in json.loads(store.interactions(group.name))["objects"] for each in one["interactions"]]
    assert boxed(30, 30, 50, 45) | {"turn": 0} in stored

"""Objects as resources: what is said, taken back, drawn by hand, changed, and what is answered of it."""

from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from tests.helpers.annotator import begin, click, done, mask_of, refused, said
from zoo.annotate.shapes import read_mask
from zoo.hub.load import load
from zoo.interactions import Click

FIRST, SECOND = click(16.5, 14.5), click(60.5, 70.5, positive=False)
SQUARE = [[10, 10], [30, 10], [30, 30], [10, 30]]


def session_mask(index, *clicks, image):
    """What a plain session makes of these turns, one click each."""
    session = load("whole", index=[str(index)])
    session.set_image(np.asarray(Image.open(image)), mpp=0.5)
    for each in clicks:
        session.add(Click(each["x"], each["y"], each["positive"]))
    return session.mask[0, 0].numpy()


def test_the_mask_is_that_of_a_session(shared, index, originals):
    made = begin(shared, FIRST)
    first = mask_of(shared, made["id"])
    np.testing.assert_array_equal(first, session_mask(index, FIRST, image=originals / "a.png"))
    assert 0 < first.mean() < 1
    after = said(shared, made["id"], SECOND)
    second = mask_of(shared, made["id"])
    np.testing.assert_array_equal(second, session_mask(index, FIRST, SECOND, image=originals / "a.png"))
    assert (first != second).any()
    assert after["area"] == second.sum()
    rows, columns = second.any(1).nonzero()[0], second.any(0).nonzero()[0]
    x, y, width, height = after["bounds"]
    assert (x, y, x + width, y + height) == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    assert after["area_um2"] is None  # nobody knows what a pixel measures
    assert after["revision"] > made["revision"]
    assert [each["turn"] for each in after["interactions"]] == [0, 1]
    assert after["milliseconds"]["all"] >= after["milliseconds"]["model"] > 0


def test_a_region_of_a_slide_is_seen_at_the_models_resolution(shared):
    made = begin(shared, click(500, 400), image="slide.svs", region=[400, 300, 201, 160])
    assert made["size"] == [80, 100]  # at 0.5 um/px, of 0.25
    assert made["mpp"] == 0.5
    assert made["region"] == [400, 300, 200, 160]
    mask = mask_of(shared, made["id"])
    assert mask.shape == (80, 100)
    assert made["area"] == 4 * mask.sum()
    assert made["area_um2"] == pytest.approx(mask.sum() * 0.25)
    probability = shared.get(f"/api/objects/{made['id']}/mask.png", params={"kind": "probability"})
    values = np.asarray(Image.open(BytesIO(probability.content)))
    assert ((values > 127.5) == mask).all()
    assert int(probability.headers["x-revision"]) == made["revision"]


def test_several_interactions_in_one_turn(shared):
    both = begin(shared, FIRST, SECOND)
    assert [(each["id"], each["turn"]) for each in both["interactions"]] == [(1, 0), (2, 0)]
    assert both["undo"] == 1


def test_undo_and_redo_return_to_the_same_masks(shared):
    made = begin(shared)
    masks = [mask_of(shared, made["id"])]
    for each in (FIRST, SECOND, click(90.5, 90.5)):
        said(shared, made["id"], each)
        masks.append(mask_of(shared, made["id"]))
    add = not masks[-1][20, 20]
    done(shared.post(f"/api/objects/{made['id']}/edit", json={"polygon": SQUARE, "add": bool(add)}))
    masks.append(mask_of(shared, made["id"]))
    assert not any((a == b).all() for a, b in pairwise(masks))
    for mask in reversed(masks[:-1]):
        done(shared.post(f"/api/objects/{made['id']}/undo"))
        np.testing.assert_array_equal(mask_of(shared, made["id"]), mask)
    refused(shared.post(f"/api/objects/{made['id']}/undo"), 409, "undone")
    for mask in masks[1:]:
        answer = done(shared.post(f"/api/objects/{made['id']}/redo"))
        np.testing.assert_array_equal(mask_of(shared, made["id"]), mask)
    refused(shared.post(f"/api/objects/{made['id']}/redo"), 409)
    assert answer["undo"] == 4


def test_any_single_interaction_can_be_removed(shared, index, originals):
    made = begin(shared, FIRST)
    third = click(90.5, 90.5)
    said(shared, made["id"], SECOND)
    said(shared, made["id"], third)
    before = mask_of(shared, made["id"])
    after = done(shared.delete(f"/api/objects/{made['id']}/interactions/2"))
    assert [each["id"] for each in after["interactions"]] == [1, 3]
    np.testing.assert_array_equal(
        mask_of(shared, made["id"]), session_mask(index, FIRST, third, image=originals / "a.png")
    )
    assert done(shared.post(f"/api/objects/{made['id']}/undo"))["interactions"][1]["id"] == 2
    np.testing.assert_array_equal(mask_of(shared, made["id"]), before)
    refused(shared.delete(f"/api/objects/{made['id']}/interactions/17"), 404, "1, 2, 3")
    assert said(shared, made["id"], FIRST)["interactions"][-1]["id"] == 4  # numbers are never used twice


def test_reset_is_taken_back_too(shared):
    made = begin(shared, FIRST)
    mask = mask_of(shared, made["id"])
    assert done(shared.post(f"/api/objects/{made['id']}/reset"))["interactions"] == []
    assert not mask_of(shared, made["id"]).any()
    done(shared.post(f"/api/objects/{made['id']}/undo"))
    np.testing.assert_array_equal(mask_of(shared, made["id"]), mask)


@pytest.mark.parametrize("add", [True, False])
def test_what_is_drawn_by_hand_stays_as_it_was_drawn(shared, add):
    made = begin(shared, FIRST)
    edited = done(shared.post(f"/api/objects/{made['id']}/edit", json={"polygon": SQUARE, "add": add}))
    assert edited["edits"] == [{"id": 2, "polygon": SQUARE, "add": add, "turn": 1}]
    assert (mask_of(shared, made["id"])[10:30, 10:30] == add).all()
    said(shared, made["id"], click(150.5, 150.5, positive=add))
    assert (mask_of(shared, made["id"])[10:30, 10:30] == add).all()
    # Until something is said within that contradicts it.
    said(shared, made["id"], click(20.5, 20.5, positive=not add))
    contradicted = done(shared.delete(f"/api/objects/{made['id']}/interactions/2"))
    assert contradicted["edits"] == []


def test_what_is_drawn_outside_of_the_region_is_refused(shared):
    made = begin(shared, click(500, 400), image="slide.svs", region=[400, 300, 200, 160])
    for x in (350, 700):  # it ends where the region begins; far away
        polygon = [[x, 320], [x + 50, 320], [x + 50, 400], [x, 400]]
        for add in (True, False):
            drawn = {"polygon": polygon, "add": add}
            refused(shared.post(f"/api/objects/{made['id']}/edit", json=drawn), 422, "(400, 300)", "200 x 160")
    across = {"polygon": [[350, 320], [450, 320], [450, 400], [350, 400]], "add": True}
    assert done(shared.post(f"/api/objects/{made['id']}/edit", json=across))["edits"][0]["id"] == 2


def test_the_threshold_makes_the_mask_smaller_and_larger(shared):
    made = begin(shared, FIRST)
    areas = [
        done(shared.patch(f"/api/objects/{made['id']}", json={"threshold": each}))["area"]
        for each in (0, 0.2, 0.5, 0.8, 1)
    ]
    assert areas == sorted(areas, reverse=True)
    assert areas[2] == made["area"]
    assert len(set(areas)) == 5
    assert areas[-1] == 0
    refused(shared.patch(f"/api/objects/{made['id']}", json={"threshold": 1.5}), 422, "threshold")


@pytest.mark.parametrize("add", [True, False])
def test_an_edit_leaves_the_chosen_threshold(shared, add):
    made = begin(shared, FIRST)
    object_ = f"/api/objects/{made['id']}"
    drawn = np.zeros((200, 200), bool)
    drawn[10:30, 10:30] = True
    at = {}
    for each in (0.2, 0.8):
        done(shared.patch(object_, json={"threshold": each}))
        at[each] = mask_of(shared, made["id"])
    assert (at[0.2] != at[0.8])[~drawn].any()
    done(shared.post(f"{object_}/edit", json={"polygon": SQUARE, "add": add}))
    for each in (0.8, 0.2, 0.8):  # also one that is chosen later
        done(shared.patch(object_, json={"threshold": each}))
        np.testing.assert_array_equal(mask_of(shared, made["id"]), np.where(drawn, add, at[each]))
    done(shared.post(f"{object_}/undo"))
    np.testing.assert_array_equal(mask_of(shared, made["id"]), at[0.8])


def test_another_class_and_another_checkpoint(shared):
    made = begin(shared, click(500, 400), click(520, 410, False), image="slide.svs", region=[400, 300, 200, 160])
    changed = done(shared.patch(f"/api/objects/{made['id']}", json={"class": "Tumor"}))
    assert (changed["class"], changed["area"]) == ("Tumor", made["area"])
    fine = done(shared.patch(f"/api/objects/{made['id']}", json={"checkpoint": "fine"}))
    assert (fine["size"], fine["mpp"], len(fine["interactions"])) == ([160, 200], 0.25, 2)
    assert fine["region"] == made["region"]
    back = done(shared.patch(f"/api/objects/{made['id']}", json={"checkpoint": "whole"}))
    assert back["area"] == made["area"]
    refused(shared.patch(f"/api/objects/{made['id']}", json={"checkpoint": "../../x"}), 404, "/api/about")
    refused(shared.patch(f"/api/objects/{made['id']}", json={"checkpoint": None}), 422)


def test_a_checkpoint_is_told_only_what_it_takes(shared):
    scribble = {"type": "scribble", "points": [[10, 10], [40, 30]], "positive": True, "width": 3}
    box = {"type": "box", "x0": 5, "y0": 5, "x1": 50, "y1": 40}
    assert begin(shared, scribble, box)["area"] > 0
    sentence = {"image": "a.png", "checkpoint": "fine", "interactions": [scribble]}
    refused(shared.post("/api/objects", json=sentence), 422, "fine is told click, box", "no scribble")
    made = begin(shared, scribble)
    refused(shared.patch(f"/api/objects/{made['id']}", json={"checkpoint": "fine"}), 422)
    assert done(shared.get(f"/api/objects/{made['id']}")) == made


def test_a_checkpoint_that_is_refused_leaves_the_probability_as_it_was(shared):
    """`fine` takes no scribbles, and sees four times the pixels."""
    line = {"type": "scribble", "points": [[420, 420], [470, 450]]}
    made = begin(shared, line, image="slide.svs", region=[400, 400, 100, 100])
    shown = f"/api/objects/{made['id']}/mask.png?kind=probability"
    before = shared.get(shown).content
    refused(shared.patch(f"/api/objects/{made['id']}", json={"checkpoint": "fine"}), 422, "scribble")
    assert shared.get(shown).content == before


def test_a_mask_that_somebody_outlined_is_begun_with(shared):
    ring = [[20, 20], [60, 20], [60, 60], [20, 60], [20, 20]]
    hole = [[30, 30], [40, 30], [40, 40], [30, 40], [30, 30]]
    made = begin(shared, geometry={"type": "Polygon", "coordinates": [ring, hole]})
    assert made["area"] == 40 * 40 - 10 * 10
    assert made["undo"] == 0
    corrected = said(shared, made["id"], click(100.5, 100.5))
    assert corrected["area"] != made["area"]
    done(shared.post(f"/api/objects/{made['id']}/undo"))
    mask = mask_of(shared, made["id"])
    assert mask[20:60, 20:60].sum() == mask.sum() == made["area"]
    assert not mask[30:40, 30:40].any()


def test_deleted_objects_come_back(client):
    made = begin(client, FIRST)
    done(client.delete(f"/api/objects/{made['id']}"))
    refused(client.get(f"/api/objects/{made['id']}"), 404)
    assert done(client.get("/api/objects", params={"image": "a.png"}))["objects"] == []
    refused(client.post(f"/api/objects/{made['id']}/undo"), 404)
    done(client.post(f"/api/objects/{made['id']}/restore"))
    refused(client.post(f"/api/objects/{made['id']}/restore"), 404)
    assert done(client.get(f"/api/objects/{made['id']}"))["area"] == made["area"]


def test_a_child_begins_with_its_parents_mask_and_is_part_of_it(client):
    parent = begin(client, click(600, 500), image="slide.svs", region=[400, 300, 400, 400], **{"class": "Gland"})
    child = begin(client, image="slide.svs", region=[500, 400, 120, 100], parent=parent["id"], checkpoint="fine")
    assert (child["parent"], child["class"], child["mpp"]) == (parent["id"], "Gland", 0.25)
    low, high = mask_of(client, parent["id"]), mask_of(client, child["id"])
    assert high.shape == (100, 120)
    enlarged = low[50:100, 50:110].repeat(2, 0).repeat(2, 1)
    assert (enlarged == high).mean() > 0.9
    done(client.post(f"/api/objects/{child['id']}/edit", json={
        "polygon": [[500, 400], [620, 400], [620, 500], [500, 500]], "add": True}))  # fmt: skip
    exported = done(client.get("/api/export", params={"image": "slide.svs", "format": "geojson"}))
    assert len(exported["features"]) == 1
    area = exported["features"][0]["properties"]["measurements"]["Area px^2"]
    assert area == pytest.approx(parent["area"] - 4 * low[50:100, 50:110].sum() + 120 * 100, rel=0.02)
    outside = {"image": "slide.svs", "region": [900, 900, 50, 50], "parent": parent["id"]}
    refused(client.post("/api/objects", json=outside), 422, "parent")
    refused(client.post("/api/objects", json={"image": "a.png", "parent": parent["id"]}), 422, "slide.svs")


def test_many_clicks_in_one_run(client, index, originals):
    clicks = [[16.5, 14.5], [20.5, 40.5], [46.5, 26.5], [50.5, 52.5]]
    sent = {"image": "a.png", "clicks": clicks, "checkpoint": "fine", "class": "Nucleus"}
    objects = done(client.post("/api/many", json=sent))["objects"]
    assert [each["interactions"][0]["x"] for each in objects] == [16.5, 20.5, 46.5, 50.5]
    whole = np.zeros((200, 200), int)
    for each in objects:
        mask = mask_of(client, each["id"])
        x, y, w, h = map(int, each["region"])
        assert mask.shape == (h, w)
        whole[y : y + h, x : x + w] += mask
        assert each["area"] == mask.sum()
    assert whole.max() == 1  # claims are settled
    assert len({each["revision"] for each in objects}) == 1
    corrected = said(client, objects[0]["id"], click(24.5, 14.5))
    assert len(corrected["interactions"]) == 2
    back = done(client.post(f"/api/objects/{objects[0]['id']}/undo"))
    assert (back["area"], back["bounds"]) == (objects[0]["area"], objects[0]["bounds"])
    refused(client.post("/api/many", json=sent | {"clicks": [[500, 500]]}), 422)
    refused(client.post("/api/many", json=sent | {"box": [0, 0, 15, 15]}), 422, "outside")
    refused(client.post("/api/many", json=sent | {"checkpoint": "whole", "clicks": [[9, 9]] * 101}), 413)


def test_the_run_gives_what_the_segment_verb_gives(shared, index, originals):
    from zoo.inference.objects import segment_objects

    clicks = [[16.5, 14.5], [20.5, 40.5], [46.5, 26.5]]
    for name, mpp in (("fine", 0.25), ("whole", 0.5)):
        session = load(name, index=[str(index)])
        session.set_image(np.asarray(Image.open(originals / "a.png")), mpp=mpp)
        labels = segment_objects(session, [[Click(x, y)] for x, y in clicks]).numpy()
        sent = {"image": "a.png", "clicks": clicks, "box": [0, 0, 200, 200], "checkpoint": name}
        for number, each in enumerate(done(shared.post("/api/many", json=sent))["objects"], 1):
            x, y, w, h = map(int, each["region"])
            np.testing.assert_array_equal(mask_of(shared, each["id"]), labels[y : y + h, x : x + w] == number)
            assert each["area"] == (labels == number).sum()
            assert name == "fine" or (w, h) == (200, 200)


def test_probability_and_mask_agree(shared):
    made = begin(shared, FIRST)
    content = shared.get(f"/api/objects/{made['id']}/mask.png", params={"kind": "probability"}).content
    assert (read_mask(content) | ~mask_of(shared, made["id"])).all()
    refused(shared.get(f"/api/objects/{made['id']}/mask.png", params={"kind": "x"}), 422)

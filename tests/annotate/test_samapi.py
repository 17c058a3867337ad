"""QuPath's SAM extension, request by request."""

import json
import threading
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.fakes import Disks
from tests.helpers.outlines import check_valid
from tests.helpers.protocols import (
    Rings,
    base64_of,
    client_of,
    file,
    iou,
    models,
    photo,
    raster,
    ring,
    sentence,
)

HEADERS = {"accept": "application/json", "Content-Type": "application/json; charset=utf-8"}
SIZE = (150, 200)


@pytest.fixture(scope="module")
def made():
    made = models(far=_far(), nuclear=Disks(radius=10.0, window=64))
    made.known["nuclear"] = replace(made.known["nuclear"], task=("nuclei",), mpp=0.5)
    return made


def _far():
    engine = Rings(window=128)
    engine.mpp = 0.125
    return engine


@pytest.fixture(scope="module")
def client(made):
    with client_of(made=made) as client:
        yield client


def prompt(inside=(), outside=(), *, box=None, checkpoint="rings", pixels=None, **more):
    """As the client writes it: the points of the background first, nothing where nothing was drawn."""
    body = {"type": "vit_l"}
    if box is not None:
        body["bbox"] = list(box)
    body["b64img"] = base64_of(file(photo(*SIZE) if pixels is None else pixels))
    if inside or outside:
        body["point_coords"] = [list(each) for each in (*outside, *inside)]
        body["point_labels"] = [0] * len(outside) + [1] * len(inside)
    body["multimask_output"] = False
    if checkpoint is not None:
        body["checkpoint_url"] = checkpoint
    return body | more


def asked(client, body, path="/sam/"):
    response = client.post(path, content=json.dumps(body), headers=HEADERS)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_point_gives_the_ring_with_its_hole_and_the_right_quality(client):
    (feature,) = asked(client, prompt([(70, 80)]))
    geometry, properties = feature["geometry"], feature["properties"]
    assert feature["type"] == "Feature"
    assert geometry["type"] == "Polygon"
    assert len(geometry["coordinates"]) == 2  # outline and hole
    assert iou(raster(geometry, SIZE), ring(SIZE, (70.5, 80.5))) > 0.98
    assert properties["quality"] == pytest.approx(0.9, abs=1e-3)
    assert properties.keys() & {"object_idx", "name"} == set()
    check_valid([geometry["coordinates"]])


def test_parts_that_lie_apart_come_as_one_object(client):
    (feature,) = asked(client, prompt([(45, 60), (150, 90)]))
    assert feature["geometry"]["type"] == "MultiPolygon"
    assert len(feature["geometry"]["coordinates"]) == 2
    check_valid(feature["geometry"]["coordinates"])
    assert iou(raster(feature["geometry"], SIZE), ring(SIZE, (45.5, 60.5), (150.5, 90.5))) > 0.98


def test_the_background_takes_away(client):
    (feature,) = asked(client, prompt([(70, 80)], [(95, 80)]))
    expected = ring(SIZE, (70.5, 80.5), gone=((95.5, 80.5),))
    assert iou(raster(feature["geometry"], SIZE), expected) > 0.98
    assert not raster(feature["geometry"], SIZE)[80, 95]


def test_a_rectangle_is_a_box(client):
    (feature,) = asked(client, prompt(box=(40, 50, 101, 111)))
    assert iou(raster(feature["geometry"], SIZE), ring(SIZE, (70.5, 80.5), box=(40, 50, 101, 111))) > 0.98


@pytest.mark.parametrize("box", [(70, 80, 70, 80), (71, 81, 70, 80), (-500, -500, 640, 660)])
def test_a_rectangle_of_no_size_or_beyond_the_picture_is_taken_too(client, box):
    (feature,) = asked(client, prompt(box=box))
    assert raster(feature["geometry"], SIZE).sum() > 1000


def test_a_line_arrives_as_its_corners(client, made):
    line = [(20 + 5 * i, 40 + i) for i in range(30)]
    (feature,) = asked(client, prompt(line, checkpoint="lines"))
    drawn = raster(feature["geometry"], SIZE)
    assert all(drawn[y, x] for x, y in line[1:-1])
    assert made._models["lines"].engine.steps[-1].strokes is not None
    asked(client, prompt(line))
    clicks = (made._models["rings"].engine.steps[-1].points[..., 2] == 1).sum()
    assert 5 <= clicks <= 12  # along it, for those that are told no lines


def test_every_way_to_choose_an_output_gives_the_best(client):
    single = asked(client, prompt([(70, 80)]))
    assert asked(client, prompt([(70, 80)], multimask_output=True)) == single


def test_nothing_found_is_an_empty_list(client):
    assert asked(client, prompt([(70, 80)], [(70 + dx, 80 + dy) for dx in range(-45, 50, 12)
                                            for dy in range(-45, 50, 12)])) == []  # fmt: skip


def test_a_mask_to_begin_with(client, made):
    start = np.zeros((*SIZE, 3), np.uint8)
    start[20:60, 30:90] = 255
    (feature,) = asked(client, prompt(b64mask=base64_of(file(start, mode="L"))))
    assert iou(raster(feature["geometry"], SIZE), start[..., 0] > 0) > 0.98
    small = base64_of(file(start[:50]))
    sentence(client.post("/sam/", json=prompt(b64mask=small)), 422, "b64mask", "200 x 150")


@pytest.mark.parametrize("base", ["/sam", "/sam/"])
def test_slashes_do_not_matter(client, base):
    """The client puts what follows right behind what was entered."""
    assert client.get(f"{base}version/").text[0].isdigit()
    assert client.get(f"{base}weights/?type=vit_b").json()
    assert client.get(f"{base}progress/").json() == {"message": None, "percent": -1}
    assert "cancel" in client.get(f"{base}weights/cancel/").text
    assert asked(client, prompt([(70, 80)]), base)
    sentence(client.post(f"{base}sam3/", json={}), 404, "text prompts")


@pytest.mark.parametrize("kind", ["vit_h", "vit_b", "sam2_bp", "sam3", "nonsense", ""])
def test_weights_are_never_an_empty_list(client, kind):
    found = client.get("/sam/weights/", params={"type": kind}).json()
    assert len(found) > 10
    assert all(each.keys() == {"type", "name", "url"} and each["name"] and each["url"] for each in found)


def test_weights_say_for_which_resolution_they_are(client):
    found = client.get("/sam/weights/?type=vit_b").json()
    assert found[0] == {"type": "vit_b", "name": "rings at 20x, 0.5 um/px", "url": "rings@0.5"}  # the default, its own
    assert {"nuclei@0.25", "nuclei@0.5", "ritm-glands-glas@1", "nuclei"} <= {each["url"] for each in found}
    assert not any(each["url"].startswith("deepscribble-guide") for each in found)  # which nothing can be told


def test_each_url_that_is_offered_is_taken(client, made):
    """Without loading them."""
    prompts = client.app.app.app.state.prompts
    for each in client.get("/sam/weights/?type=vit_b").json():
        about, mpp = prompts.chosen(each["url"])
        assert each["name"].startswith(about.name)
        assert mpp is None or f"{mpp:g} um/px" in each["name"]


def test_the_picture_is_resampled_as_the_url_says(client, made):
    engine = made._models["rings"].engine
    asked(client, prompt([(70, 80)], checkpoint="rings@0.25"))
    assert engine.steps[-1].size == (75, 100)  # seen at its own 0.5
    asked(client, prompt([(70, 80)], checkpoint="rings@1"))
    assert engine.steps[-1].size == (300, 400)


def test_a_large_view_is_seen_around_the_prompt(client, made):
    """At 0.5 um/px, where the network works at 0.125: 16 times the pixels."""
    pixels = photo(900, 1000)
    (feature,) = asked(client, prompt([(700, 500)], checkpoint="far@0.5", pixels=pixels))
    assert made._models["far"].engine.steps[-1].size[0] < 1200  # not 3600
    inside = raster(feature["geometry"], (900, 1000))
    expected = ring((900, 1000), (700.5, 500.5))
    y, x = np.nonzero(inside)
    assert abs(x.mean() - 700) < 1
    assert abs(y.mean() - 500) < 1
    assert 0.9 < inside.sum() * 16 / expected.sum() < 1.1


def test_weights_can_be_named(client):
    body = {"type": "vit_b", "name": "mine", "url": "rings@0.36"}
    assert "mine" in client.post("/sam/weights/", json=body).text
    assert body in client.get("/sam/weights/?type=vit_b").json()
    assert asked(client, prompt([(70, 80)], checkpoint="rings@0.36"))
    sentence(client.post("/sam/weights/", json=body | {"url": "https://elsewhere.org/sam.pth"}), 404, "no checkpoint")


def test_without_weights_the_default_answers(client):
    assert asked(client, prompt([(70, 80)], checkpoint=None)) == asked(client, prompt([(70, 80)]))


def test_clients_do_not_disturb_each_other(client):
    """Each with its own picture and points, all at once, several times."""
    wanted = [((40 + 15 * i, 75), photo(*SIZE, seed=i)) for i in range(4)]
    wrong = []

    def ask(place, pixels):
        for _ in range(4):
            (feature,) = asked(client, prompt([place], pixels=pixels))
            found = raster(feature["geometry"], SIZE)
            wrong.extend([place] * (iou(found, ring(SIZE, (place[0] + 0.5, place[1] + 0.5))) < 0.98))

    threads = [threading.Thread(target=ask, args=each) for each in wanted]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []


def test_a_further_prompt_goes_on_with_the_same_picture(client, made):
    engine = made._models["rings"].engine
    pixels = photo(*SIZE, seed=99)
    asked(client, prompt([(70, 80)], pixels=pixels))
    begun = len(engine.starts)
    asked(client, prompt([(90, 80)], pixels=pixels))
    assert len(engine.starts) == begun
    asked(client, prompt([(90, 80)], pixels=photo(*SIZE, seed=98)))
    assert len(engine.starts) == begun + 1


def nuclei(*places):
    """Spots of haematoxylin, 20 px wide, in a picture of eosin; and these alone."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    spots = np.array([np.hypot(x - u, y - v) <= 10 for u, v in places])
    return np.where(spots.any(0)[..., None], (90, 60, 150), (235, 190, 215)).astype(np.uint8), spots


def test_auto_mask_finds_each_nucleus(client):
    pixels, spots = nuclei((40, 40), (70, 45), (150, 90), (8, 120))
    body = {"type": "vit_b", "b64img": base64_of(file(pixels)), "checkpoint_url": "nuclear@0.5"}
    # As the client sends it.
    body |= {"points_per_side": 64, "points_per_batch": 64, "pred_iou_thresh": 0.88, "stability_score_thresh": 0.95,
             "box_nms_thresh": 0.2, "min_mask_region_area": 0, "output_type": "Single Mask",
             "include_image_edge": False}  # fmt: skip
    for more, wanted in (({}, spots[:3]), ({"include_image_edge": True}, spots)):
        found = [raster(each["geometry"], SIZE) for each in asked(client, body | more, "/sam/automask/")]
        assert len(found) == len(wanted)
        assert np.sum(found, axis=0).max() == 1
        assert all(max(iou(each, spot) for each in found) > 0.8 for spot in wanted)
    assert asked(client, body | {"min_mask_region_area": 5000}, "/sam/automask/") == []
    assert asked(client, body | {"b64img": base64_of(file(nuclei((900, 900))[0]))}, "/sam/automask/") == []


@pytest.mark.parametrize(
    ("url", "word"), [("rings", "weights for nuclei"), ("nuclear@0.01", "resolution"), ("nuclear@90", "resolution")]
)
def test_auto_mask_says_what_to_use_where_it_finds_nothing(client, url, word):
    """At a wrong resolution not before the picture was enlarged beyond all memory."""
    body = {"b64img": base64_of(file(nuclei((40, 40))[0])), "checkpoint_url": url}
    sentence(client.post("/sam/automask/", json=body), 422, word)


PNG = base64_of(file(photo(20, 20)))


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"b64img": "***"}, 422, "base64"),
        ({"b64img": ""}, 422, "empty"),
        ({"b64img": base64_of(b"no picture")}, 422, "picture"),
        ({"b64img": PNG[: len(PNG) // 2 // 4 * 4]}, 422, "picture"),
        ({"b64img": None}, 422, "b64img"),
        ({"b64img": [1]}, 422, "b64img"),
        ({"b64img": base64_of(file(np.zeros((9, 9), np.uint16)))}, 422, "8 bits"),
        ({"point_coords": [[5, 5]], "point_labels": []}, 422, "one label a point"),
        ({"point_coords": [[5, 5]], "point_labels": [7]}, 422, "point_labels"),
        ({"point_coords": [[500, 5]], "point_labels": [1]}, 422, "outside the image"),
        ({"point_coords": [[5]], "point_labels": [1]}, 422, "point_coords"),
        ({"point_coords": [[5, 5]] * 20_001, "point_labels": [1] * 20_001}, 422, "point_coords"),
        ({"bbox": [1, 2, 3]}, 422, "bbox"),
        ({"bbox": [1e300, 0, 0, 1]}, 422, "bbox"),
        ({"point_coords": None, "point_labels": None}, 422, "at least one point"),
        ({"checkpoint_url": "https://dl.org/sam_vit_b.pth"}, 404, "no checkpoint"),
        ({"checkpoint_url": "../../etc/passwd@0.5"}, 404, "no checkpoint"),
        ({"checkpoint_url": "rings@0"}, 422, "resolution"),
        ({"checkpoint_url": "rings@inf"}, 422, "resolution"),
    ],
)
def test_what_can_not_be_answered_is_said(client, change, status, word):
    body = prompt([(5, 5)], pixels=photo(20, 20)) | change
    sentence(client.post("/sam/", content=json.dumps(body), headers=HEADERS), status, word)
    assert client.get("/sam/version/").status_code == 200


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"b64img": ' + b"[" * 50_000])
def test_malformed_json_is_refused(client, content):
    assert 400 <= client.post("/sam/", content=content, headers=HEADERS).status_code < 500


def test_a_picture_that_unpacks_to_too_much_is_refused(client):
    bomb = base64_of(file(np.zeros((5000, 5000, 3), np.uint8)))
    sentence(client.post("/sam/", json=prompt([(5, 5)]) | {"b64img": bomb}), 413, "5000 x 5000")


@pytest.mark.parametrize("path", ["sam3", "upload", "video", "sam3video"])
def test_other_networks_calls_are_named(client, path):
    sentence(client.post(f"/sam/{path}/", json={"any": 1}), 404, path, "rectangle")


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Host": "evil.example:8000"}, {"Sec-Fetch-Site": "cross-site"},
     {"Origin": "null"}],
)  # fmt: skip
def test_no_foreign_page_may_ask(client, headers):
    sentence(client.post("/sam/", json=prompt([(5, 5)]), headers=headers), 403)
    sentence(client.get("/sam/weights/", headers=headers), 403)

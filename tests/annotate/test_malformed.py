"""What no client should send is refused with a sentence that can be read, and the server lives on."""

import json

import pytest

from tests.helpers.annotator import begin, done, mask_of, refused
from tests.helpers.protocols import base64_of, client_of, file, photo, sentence

JSON = {"content-type": "application/json"}
CORNERS = "[50, 0], [50, 50]]]}"


def posted(client, path, text):
    return client.post(path, content=text, headers=JSON)


def polygon(first):
    return f'{{"image": "a.png", "geometry": {{"type": "Polygon", "coordinates": [[{first}, {CORNERS}}}'


@pytest.mark.parametrize("height", ["NaN", "Infinity", "1e999", '"\\ud800"', '{"deep": [[1]]}'])
def test_only_x_and_y_of_a_point_are_kept(shared, height):
    """RFC 7946 allows for more numbers; not all that JSON readers take can be written again."""
    made = done(posted(shared, "/api/objects", polygon(f"[0, 0, {height}]")))
    assert done(shared.get(f"/api/objects/{made['id']}"))["area"] == made["area"] == pytest.approx(1250, rel=0.05)
    assert mask_of(shared, made["id"]).any()


@pytest.mark.parametrize(
    "first", ['"\\ud800"', '["\\ud800", 1]', "[NaN, 0]", "[1e999, 0]", f"[1{'0' * 400}, 0]", "[true, 0]", "[[1], 2]",
              "{}", "null", "[]", "[1]", "[" * 200 + "]" * 200],
)  # fmt: skip
def test_what_is_no_point_is_quoted_in_letters_that_can_be_sent(shared, first):
    refused(posted(shared, "/api/objects", polygon(first)), 422)
    geometry = f'{{"type": "Polygon", "coordinates": [[{first}, {CORNERS}'
    refused(posted(shared, "/api/import", f'{{"image": "a.png", "geojson": [{{"geometry": {geometry}}}]}}'), 422,
            "object 1")  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        '{"image": "a.png", "\\ud800": 1}',
        '{"image": "a.png", "interactions": [{"type": "\\ud800"}]}',
        '{"image": "\\ud800"}',
        '{"image": "a\\u0000.png"}',
        '{"image": "a.png", "region": [[0], 0, 9, 9]}',
        '{"image": "a.png", "region": [NaN, 0, 9, 9]}',
        '{"image": "a.png", "geometry": "Polygon"}',
        '"\\ud800"',
        "NaN",
        "[" * 100_000,
        f'{{"image": 1{"0" * 5000}}}',
        b"\xff\xfe\xff",
    ],
)
def test_other_bodies(shared, text):
    assert 400 <= posted(shared, "/api/objects", text).status_code < 500
    assert posted(shared, "/api/objects", text).json()["detail"]


def test_of_a_name_that_is_given_twice_the_last_one_counts(shared):
    assert done(posted(shared, "/api/objects", '{"image": "no.png", "image": "a.png"}'))["image"] == "a.png"


@pytest.mark.parametrize("length", ["²", "9" * 5000, "-1", "1e3", ""])
def test_a_length_that_is_none(shared, length):
    response = shared.post("/api/objects", content=b"{}", headers={**JSON, "content-length": length.encode()})
    refused(response, 413)


def test_a_line_through_a_thousand_rows_a_million_times(shared, monkeypatch):
    """Filled in parts, whose memory is bounded: the same mask."""
    ring = [[37 * k % 151, 199 * (k % 2)] for k in range(150)]
    body = {"image": "a.png", "geometry": {"type": "Polygon", "coordinates": [ring]}}
    whole = mask_of(shared, begin(shared, **body)["id"])
    assert whole.any()
    monkeypatch.setattr("zoo.annotate.shapes.MOST_AT_ONCE", 1000)
    assert (mask_of(shared, begin(shared, **body)["id"]) == whole).all()


FAR = "1" + "0" * 400


@pytest.fixture(scope="module")
def viewers(originals, tmp_path_factory):
    with client_of(originals, save=tmp_path_factory.mktemp("viewers") / "a.sqlite") as client:
        yield client


@pytest.mark.parametrize(
    "wsi", [f'{{"location": [{FAR}, 0], "size": [9, 9]}}', '{"location": [1e300, 0]}', f'{{"size": [{FAR}, 9]}}',
            '{"min_poly_area": NaN}', '{"params": {"foreground": [[NaN, 1]]}}', '{"location": ["\\ud800", 0]}', "["],
)  # fmt: skip
def test_a_rectangle_far_outside(viewers, wsi):
    asked = viewers.post("/infer/wsi/rings?image=slide", content=wsi)
    assert 400 <= asked.status_code < 500, asked.text
    sent = {"files": {"file": ("a.png", file(photo(20, 20)))}, "data": {"wsi": wsi}}
    sentence(viewers.post("/infer/wsi_v2/rings", **sent), 422, "wsi")


@pytest.mark.parametrize("mpp", [0.0011, 0.01, 40, 999])
@pytest.mark.parametrize("side", [1, 3, 40])
def test_a_resolution_far_from_the_checkpoints_takes_no_more_memory(viewers, mpp, side):
    body = {"b64img": base64_of(file(photo(side, side))), "point_coords": [[0.2, 0.3]], "point_labels": [1]}
    for path in ("/sam", "/sam/automask"):
        asked = viewers.post(path, content=json.dumps(body | {"checkpoint_url": f"window@{mpp}"}), headers=JSON)
        assert asked.status_code in (200, 422), asked.text


RANGES = [("bytes=abc", 400), ("bytes=-", 400), ("bytes", 400), ("items=0-3", 400), ("bytes=5-2", 400),
          ("bytes=99999999-", 416), ("bytes=0-3", 206), ("bytes=-4", 206), ("bytes=0-1,4-5", 206)]  # fmt: skip


@pytest.mark.parametrize(("asked", "status"), RANGES)
def test_a_part_of_a_file_that_there_is_not(shared, viewers, asked, status):
    for client, path in ((shared, "/style.css"), (viewers, "/datastore/image?image=a")):
        answer = client.get(path, headers={"range": asked})
        assert answer.status_code == status
        if status != 206:
            assert "Range" in sentence(answer, status)
            size = len(client.get(path).content)
            assert answer.headers.get("content-range") == (f"bytes */{size}" if status == 416 else None)


def test_all_that_was_refused_did_no_harm(shared, viewers):
    assert done(shared.get("/api/about"))["version"]
    assert viewers.get("/info").status_code == 200

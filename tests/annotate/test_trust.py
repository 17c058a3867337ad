"""No page of another origin, no rebound name, no stranger without the token, nothing too large."""

import json

import numpy as np
import pytest
import tifffile
from starlette.testclient import TestClient

from tests.helpers.annotator import ADDRESS, client_of, done, refused
from zoo.annotate.app import create_app
from zoo.annotate.trust import MOST_BYTES, token_for
from zoo.cli import main
from zoo.errors import ConfigError

TOKEN = "a-token-of-sixteen"


@pytest.mark.parametrize("host", ["127.0.0.1:8017", "localhost:1", "LocalHost:8017", "[::1]:8017", "127.0.0.1"])
def test_the_machines_own_names_are_trusted(shared, host):
    done(shared.get("/api/about", headers={"host": host}))
    done(shared.get("/api/about", headers={"host": host, "origin": f"http://{host}"}))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8017",
        "127.0.0.1.evil.example",
        "localhost.evil.example:8017",
        "evil.example@127.0.0.1",
        "127.0.0.1:8017@evil.example",
        "127.0.0.1/evil.example",
        "127.0.0.1:x",
        "2130706433",
        "0.0.0.0:8017",
        "192.168.0.7:8017",
        "",
    ],
)
def test_a_name_that_was_rebound_is_refused(shared, host):
    for path in ("/api/about", "/", "/api/openapi.json"):
        refused(shared.get(path, headers={"host": host}), 403)


def test_several_hosts_are_refused(shared):
    refused(shared.get("/api/about", headers=[("host", "127.0.0.1:8017"), ("host", "evil.example")]), 403)


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:8017", "file://127.0.0.1:8017", "http:"],
)
def test_a_page_of_another_origin_is_refused(shared, origin):
    headers = {"origin": origin, "host": "127.0.0.1:8017"}
    refused(shared.get("/api/about", headers=headers), 403, "origin")
    refused(shared.post("/api/objects", json={"image": "a.png"}, headers=headers), 403)
    refused(shared.options("/api/objects", headers=headers | {"access-control-request-method": "POST"}), 403)


def test_pictures_in_pages_of_other_sites_are_refused(shared):
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
        asked = shared.get("/api/thumbnail", params={"image": "a.png"}, headers={"sec-fetch-site": site})
        assert asked.status_code == status
    # A link to the page is fine.
    assert shared.get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 200


def test_nobody_may_read_answers_or_frame_the_page(shared):
    for path in ("/", "/api/about", "/api/nothing"):
        headers = shared.get(path).headers
        assert "access-control-allow-origin" not in headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"


@pytest.fixture
def guarded(originals, models, tmp_path):
    app = create_app(originals, tmp_path / "a.sqlite", models, token=TOKEN)
    with TestClient(app, base_url="http://lab.example:8017", follow_redirects=False) as client:
        yield client


def test_over_a_network_a_token_is_needed(guarded):
    for headers in ({}, {"authorization": "Bearer x"}, {"authorization": f"Basic {TOKEN}"}, {"cookie": "isegzoo=x"}):
        for path in ("/", "/api/about", "/api/openapi.json", f"/api/about?token={TOKEN}", "/?token=x", "/?token=é"):
            refused(guarded.get(path, headers=headers), 401, "token")
    done(guarded.get("/api/about", headers={"authorization": f"Bearer {TOKEN}"}))
    welcome = guarded.get(f"/?token={TOKEN}")
    assert (welcome.status_code, welcome.headers["location"]) == (303, "/")
    for word in ("HttpOnly", "SameSite=Lax"):
        assert word in welcome.headers["set-cookie"]
    done(guarded.get("/api/about"))  # the client keeps the cookie
    refused(guarded.get("/api/about", headers={"origin": "http://evil.example"}), 403)


@pytest.mark.parametrize("before", ['prefs={"a":1}', "x=a b", "a[b]=1", "name=Jürgen", "flag", "=", 'u="2|1:0', ""])
def test_cookies_of_others_are_passed_over(guarded, before):
    for line in (f"{before}; isegzoo-8017={TOKEN}", f"isegzoo-8017={TOKEN};{before}"):
        done(guarded.get("/api/about", headers={"cookie": line.encode("latin-1")}))
    refused(guarded.get("/api/about", headers={"cookie": f"{before}; isegzoo-8017=x".encode("latin-1")}), 401)


def test_each_server_of_a_host_has_a_cookie_of_its_own(guarded):
    def name(host):
        set_ = guarded.get(f"/?token={TOKEN}", headers={"host": host}).headers["set-cookie"]
        guarded.cookies.clear()
        return set_.partition("=")[0]

    hosts = ("lab.example:8017", "lab.example:8018", "lab.example", "[::1]:8017")
    assert [name(host) for host in hosts] == ["isegzoo-8017", "isegzoo-8018", "isegzoo", "isegzoo-8017"]
    for cookie, status in (("isegzoo-8018", 401), ("isegzoo", 401), ("isegzoo-8017", 200)):
        assert guarded.get("/api/about", headers={"cookie": f"{cookie}={TOKEN}"}).status_code == status


def test_a_link_of_another_site_leads_to_the_page_alone(guarded):
    """The cookie goes along; the rest is for Origin and what browsers say of the site."""
    known = {"cookie": f"isegzoo-8017={TOKEN}", "sec-fetch-site": "cross-site"}
    assert guarded.get("/", headers=known).status_code == 200
    for site in ("cross-site", "same-site"):
        refused(guarded.get("/api/about", headers=known | {"sec-fetch-site": site}), 403, "site")
    del known["sec-fetch-site"]
    refused(guarded.post("/api/objects", json={}, headers=known | {"origin": "http://evil.example"}), 403, "origin")


def test_a_token_is_made_where_one_is_needed():
    assert token_for("127.0.0.1", None) is None
    assert token_for("::1", None) is None
    assert token_for("127.0.0.1", TOKEN) == TOKEN
    for host in ("0.0.0.0", "192.168.0.7", "lab.example", "::"):
        assert len(token_for(host, None)) >= 32
        assert token_for(host, None) != token_for(host, None)
    for given in ("", "short", "x" * 15, "with spaces in between", "ümläut-ümläut-ümläut", "a;b=c&d%20e#f?ghij"):
        with pytest.raises(ConfigError, match="16"):
            token_for("0.0.0.0", given)


def test_requests_that_are_too_large_are_refused(shared):
    whole = b"[" * (MOST_BYTES + 1)
    refused(shared.post("/api/import", content=whole), 413)
    parts = (b"[" * 2**20 for _ in range(MOST_BYTES // 2**20 + 1))  # without a length
    refused(shared.post("/api/import", content=parts), 413)
    refused(shared.get("/api/about", headers={"content-length": "x"}), 413)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"image": "a.png", "region": [0, 0, NaN, 5]}',
        b'{"image": "a.png", "region": [0, 0, 1e999, 5]}',
        b'{"image": "a.png", "region": [0, 0, -5, 5]}',
        b'{"image": "a.png", "region": [0, 0]}',
        b'{"image": "\\ud800"}',
        b'{"image": "a\\u0000.png"}',
        b'{"image": "a.png", "class": "\\ud800"}',
        b'{"image": "a.png", "interactions": [{"type": "poke"}]}',
        b'{"image": "a.png", "interactions": [{"type": "click", "x": "a", "y": 1}]}',
        b'{"image": "a.png", "interactions": [{"type": "click", "x": 1e300, "y": 1}]}',
        b'{"image": "a.png", "interactions": [{"type": "click", "x": 900, "y": 1}]}',
        b'{"image": "a.png", "interactions": [{"type": "box", "x0": 9, "y0": 9, "x1": 3, "y1": 3}]}',
        b'{"image": "a.png", "interactions": [{"type": "scribble", "points": []}]}',
        b'{"image": "a.png", "interactions": [{"type": "scribble", "points": [[1, 1]], "width": 1e9}]}',
        b'{"image": "a.png", "geometry": {"type": "Point", "coordinates": [1, 1]}}',
        b'{"image": "a.png", "geometry": {"type": "Polygon", "coordinates": [[[1, 1], [2, 2]]]}}',
        b'{"image": "a.png", "geometry": {"type": "Polygon", "coordinates": [[["a", 1], [2, 2], [3, 3]]]}}',
        b'{"image": "a.png", "geometry": {"type": "Polygon", "coordinates": 7}}',
        b'{"image": "a.png", "parent": "00000000000000000000000000000000"}',
        b'{"image": "a.png", "checkpoint": "/etc/passwd"}',
        b'{"image": "a.png", "checkpoint": "hf://evil/model"}',
        b'{"image": "slide.svs", "region": [5000, 5000, 10, 10]}',
        b'{"image": "deep/b.png", "mpp": 0.5}',
        b'{"image": "notes.txt"}',
    ],
)
def test_malformed_objects_are_refused_in_a_sentence(shared, body):
    response = shared.post("/api/objects", content=body, headers={"content-type": "application/json"})
    assert 400 <= response.status_code < 500
    sentence = response.json()["detail"]
    assert 5 < len(sentence) < 600
    assert "Traceback" not in sentence
    done(shared.get("/api/about"))


def test_a_damaged_image_is_told_and_the_server_lives_on(originals, models, tmp_path):
    for name, content in (("a.png", b"no png"), ("b.tif", b"II*\0"), ("c.svs", b""), ("d.npy", b"\x93NUMPY\x01")):
        (tmp_path / name).write_bytes(content)
    app = create_app(tmp_path, tmp_path / "kept.sqlite", models)
    with TestClient(app, base_url=ADDRESS, raise_server_exceptions=False) as client:
        names = [each["name"] for each in done(client.get("/api/images"))["entries"]]
        assert names == ["a.png", "b.tif", "c.svs", "d.npy"]
        for name in names:
            sentence = refused(client.get("/api/image", params={"image": name}), 422, name)
            assert str(tmp_path) not in sentence
            refused(client.get("/api/tile/0/0_0.jpg", params={"image": name}), 422)
            refused(client.post("/api/objects", json={"image": name}), 422)
        done(client.get("/api/about"))


@pytest.mark.parametrize(
    ("shape", "kind", "words"),
    [
        ((40, 40), np.uint16, "uint16"),
        ((40, 40, 3), np.float32, "float32"),
        ((2, 40, 40, 3), np.uint8, "2 pages"),
        ((5, 40, 40), np.uint8, "5 pages"),
    ],
)
def test_of_a_picture_that_is_not_rgb_it_is_said_what_helps_here(originals, models, tmp_path, shape, kind, words):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, kind), photometric="rgb" if shape[-1] == 3 else "minisblack")
    with client_of(tmp_path, models) as client:
        sentence = refused(client.get("/api/image", params={"image": "a.tif"}), 422, words, "8-bit RGB")
        assert "--" not in sentence  # `zoo annotate` has no such options


def test_large_regions_are_refused(shared, monkeypatch):
    monkeypatch.setattr("zoo.annotate.grid.MOST_PIXELS", 100 * 100)
    asked = {"image": "slide.svs", "region": [0, 0, 400, 300]}
    refused(shared.post("/api/objects", json=asked), 413, "200 x 200", "zoom in")
    monkeypatch.setattr("zoo.annotate.begin.SMALL", 1000)
    refused(shared.post("/api/objects", json={"image": "slide.svs"}), 422, "region")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["nowhere"], "no such file"),
        ([".", "--port", "99999"], "--port"),
        ([".", "--mpp", "-1"], "--mpp"),
        ([".", "--host", "0.0.0.0", "--token", "short"], "--token"),
        ([".", "--host", "203.0.113.7"], "can't listen"),
        ([".", "--classes", "a=b"], "--classes"),
        ([".", "--checkpoint", "nucleus"], "nuclei"),
        (["text.txt"], "neither an image nor a slide"),
        ([".", "--save", "nowhere/a.sqlite"], "--save"),
        ([".", "--save", "text.txt"], "--save"),
    ],
)
def test_mistakes_on_the_command_line_end_with_2(options, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("no image, and no database " * 100)
    assert main(["annotate", *options, "--no-browser"]) == 2
    assert words in capsys.readouterr().err


def test_refusals_are_json_everywhere(shared):
    for method, path in (("GET", "/api/nowhere"), ("PUT", "/api/about"), ("POST", "/"), ("GET", "/nowhere.js")):
        answer = shared.request(method, path)
        assert answer.status_code in (404, 405)
        assert json.loads(answer.content)["detail"]

"""CVAT's interactors, request by request; and the real command over HTTP."""

import base64
import json
import re
import subprocess
import sys
import threading
import urllib.request

import numpy as np
import pytest

import zoo
from tests.helpers.protocols import base64_of, client_of, file, photo, ring, sentence
from zoo.annotate.protocols.told import told

SIZE = (150, 200)
NUCLIO = {
    "x-nuclio-project-name": "cvat",
    "x-nuclio-function-namespace": "nuclio",
    "x-nuclio-invoke-via": "domain-name",
    "x-nuclio-path": "/",
}


@pytest.fixture(scope="module")
def client():
    with client_of() as client:
        yield client


def payload(inside=(), outside=(), box=None, kind="JPEG"):
    return {
        "image": base64_of(file(photo(*SIZE), kind)),
        "pos_points": [list(each) for each in inside],
        "neg_points": [list(each) for each in outside],
        "obj_bbox": box,
    }


def asked(client, body, function="rings"):
    headers = NUCLIO | {"x-nuclio-function-name": function}
    response = client.post("/api/function_invocations", json=body, headers=headers)
    assert response.status_code == 200, response.text
    assert response.json().keys() == {"mask"}
    mask = np.array(response.json()["mask"])
    assert set(np.unique(mask)) <= {0, 1}
    return mask.astype(bool)


def test_functions_are_described_as_cvat_reads_them(client):
    found = client.get("/api/functions", headers=NUCLIO).json()
    assert {"rings", "nuclei", "ritm-glands-glas"} <= found.keys()
    for name, each in found.items():
        assert re.fullmatch("[a-zA-Z0-9_.-]+", name)
        notes = each["metadata"]["annotations"]
        assert each["metadata"]["name"] == name
        assert notes["type"] == "interactor"
        assert json.loads(notes["spec"] or "[]") == []
        assert int(notes["version"]) == 2
        assert (int(notes["min_pos_points"]), int(notes["min_neg_points"])) == (1, 0)
        assert "startswith_box" not in notes  # any text but none would mean yes
        assert each["spec"]["description"]
        assert each["status"] == {"state": "ready", "httpPort": 8000}
    assert client.get("/api/functions/nuclei", headers=NUCLIO).json() == found["nuclei"]
    sentence(client.get("/api/functions/gone"), 404, "gone")


def test_points_give_the_mask_pixel_by_pixel(client):
    mask = asked(client, payload([[70.5, 80.5]], [[95.5, 80.5]]))
    np.testing.assert_array_equal(mask, ring(SIZE, (70.5, 80.5), gone=((95.5, 80.5),)))


@pytest.mark.parametrize("box", [[[40, 50], [101, 111]], [40, 50, 101, 111], [[101, 111], [40, 50]]])
def test_a_box_in_each_form(client, box):
    np.testing.assert_array_equal(asked(client, payload(box=box)), ring(SIZE, (70.5, 80.5), box=(40, 50, 101, 111)))


def test_asked_at_its_port_the_default_answers(client):
    response = client.post("/", json=payload([[70.5, 80.5]]))
    np.testing.assert_array_equal(np.array(response.json()["mask"]), ring(SIZE, (70.5, 80.5)))


def test_mistakes_are_said(client):
    headers = {"x-nuclio-function-name": "rings"}
    call = "/api/function_invocations"
    sentence(client.post(call, json=payload([[5, 5]])), 422, "x-nuclio-function-name")
    sentence(client.post(call, json=payload([[5, 5]]), headers={"x-nuclio-function-name": "no"}), 404, "'no'")
    sentence(client.post(call, json=payload(), headers=headers), 422, "at least one point")
    sentence(client.post(call, json=payload(box=[1, 2, 3]), headers=headers), 422, "obj_bbox", "two corners")
    sentence(client.post(call, json=payload([[900, 5]]), headers=headers), 422, "outside the image")
    sentence(client.post(call, json=payload() | {"image": "%"}, headers=headers), 422, "base64")


def test_over_a_network_the_token_is_the_password_of_the_address():
    with client_of(token="a-token-that-is-long") as client:
        sentence(client.get("/api/functions"), 401, "token")
        assert client.get("/api/functions", auth=("isegzoo", "a-token-that-is-long")).status_code == 200
        sentence(client.get("/api/functions", auth=("isegzoo", "another-long-token")), 401)
        sentence(client.get("/api/functions", headers={"Authorization": "Basic %%%"}), 401)


def test_the_command_answers_over_http(tmp_path):
    """As somebody runs it, with a checkpoint that is shipped: what comes back is the session's own mask."""
    command = [sys.executable, "-m", "zoo", "serve", "--port", "0", "--checkpoint", "nuclick-nuclei-compact"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path)
    stop = threading.Timer(240, server.kill)
    stop.start()
    try:
        line = server.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+/", line)
        assert address is not None, line
        pixels = photo(96, 96)
        pixels[30:60, 40:70] = (90, 50, 140)
        body = {"image": base64_of(file(pixels)), "pos_points": [[55, 45]], "neg_points": [], "obj_bbox": None}
        call = urllib.request.Request(
            f"{address[0]}api/function_invocations",
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "x-nuclio-function-name": "nuclick-nuclei-compact"},
        )
        with urllib.request.urlopen(call, timeout=120) as answer:
            mask = np.array(json.load(answer)["mask"], bool)
        with urllib.request.urlopen(f"{address[0]}/info/", timeout=60) as answer:
            assert next(iter(json.load(answer)["models"])) == "nuclick-nuclei-compact"
        assert not list(tmp_path.iterdir())  # nothing is kept
    finally:
        stop.cancel()
        server.kill()
        server.wait()
        server.stdout.close()
    session = zoo.load("nuclick-nuclei-compact")
    session.set_image(pixels, mpp=session.mpp)
    expected = session.add(zoo.Click(55.5, 45.5))[0, 0].numpy()
    assert expected.any()
    np.testing.assert_array_equal(mask, expected)
    assert base64.b64decode(body["image"]) == file(pixels)


def test_what_is_told_fits_the_checkpoint():
    from zoo.annotate.models import About
    from zoo.interactions import Click, Scribble

    lines = About("a", "", (), ("scribble",), None, "")
    assert told(lines, [(3.0, 4.0)]) == [Scribble(((3.5, 4.5),))]
    assert told(lines, box=[0.0, 0.0, 5.0, 9.0]) == [Scribble(((2.5, 4.5),))]
    clicks = About("b", "", (), ("click",), None, "")
    assert told(clicks, [(3.0, 4.0)], [(9.25, 2.0)]) == [Click(3.5, 4.5), Click(9.25, 2.0, False)]

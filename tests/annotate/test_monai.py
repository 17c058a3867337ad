"""MONAI Label's extension for QuPath, request by request."""

import json
from urllib.parse import quote
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from tests.helpers.outlines import check_valid
from tests.helpers.protocols import Rings, client_of, file, iou, models, photo, raster, ring, sentence
from tests.helpers.slides import mosaic, write_pyramid
from zoo.annotate.grid import PixelGrid
from zoo.annotate.models import Models
from zoo.annotate.protocols.asap import asap, rings_of

SIZE = (150, 200)
SLIDE = (1200, 900)


@pytest.fixture(scope="module")
def made():
    return models()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("slides")
    (root / "deep").mkdir()
    write_pyramid(root / "deep" / "case 1.a.svs", mosaic(*SLIDE), mpp=0.25, magnification=40)
    for name in ("plain.png", "deep/Präparat 1, 50%.png"):
        Image.fromarray(photo(*SIZE)).save(root / name)
    for name in ("twice.png", "deep/twice.png"):
        Image.fromarray(photo(40, 40)).save(root / name)
    (root / "secret.txt").write_text("secret")
    return root


@pytest.fixture(scope="module")
def client(folder, made, tmp_path_factory):
    with client_of(folder, made, save=tmp_path_factory.mktemp("saved") / "a.sqlite") as client:
        yield client


def wsi(foreground=(), background=(), location=(0, 0), size=(0, 0), **more) -> str:
    """As Gson writes the client's request."""
    points = {"foreground": [list(p) for p in foreground], "background": [list(p) for p in background]}
    return json.dumps({"level": 0, "location": list(location), "size": list(size), "tile_size": [1024, 1024],
                       "min_poly_area": 30, "params": points | {"max_workers": 1}} | more)  # fmt: skip


def infer(client, model, image, body):
    """JSON that does not say so: Java's client sends no Content-Type."""
    request = client.build_request("POST", f"/infer/wsi/{model}?output=asap&image={quote(image)}", content=body)
    assert "content-type" not in request.headers
    return client.send(request)


def infer_sent(client, model, content, body):
    """The form as the client writes it by hand; the type of its file may be `null`."""
    boundary = "224466998811335577"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="patch17.png"\r\n'
    text = f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="wsi"\r\n\r\n{body}\r\n--{boundary}--'
    form = head.encode() + b"Content-Type: null\r\n\r\n" + content + text.encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return client.post(f"/infer/wsi_v2/{model}?output=asap", content=form, headers=headers)


def polygons(response):
    """Class and ring of each polygon, as the client reads them."""
    assert response.status_code == 200, response.text
    root = ElementTree.fromstring(response.content)
    assert root.tag == "ASAP_Annotations"
    found = []
    for each in root.iter("Annotation"):
        assert each.get("Type") == "Polygon"
        assert each.get("Color")[0] == "#"
        assert len(each.get("Color")) == 7
        (coordinates,) = [child for child in each if child.tag == "Coordinates"]
        assert [int(point.get("Order")) for point in coordinates] == list(range(len(coordinates)))
        found.append((each.get("Name"), [[float(point.get("X")), float(point.get("Y"))] for point in coordinates]))
    return found


def covered(rings, size):
    """How often pixels are covered by polygons without holes, which is all that the client makes."""
    return np.sum([raster({"type": "Polygon", "coordinates": [each]}, size) for each in rings], axis=0, dtype=int)


def test_who_asks_needs_no_account(client):
    assert client.get("/auth/").json() == {"enabled": False}
    assert client.get("/auth").json() == {"enabled": False}


@pytest.mark.parametrize("path", ["/info/", "/info", "//info/"])
def test_models_are_listed_as_the_client_reads_them(client, path):
    found = client.get(f"http://localhost:8000{path}").json()
    assert found.keys() >= {"name", "description", "version", "labels", "models", "strategies", "trainers"}
    assert next(iter(found["models"])) == "rings"
    for each in found["models"].values():
        assert each["dimension"] == 2
        assert each["pathology"] is True
        assert set(each["labels"]) <= set(found["labels"])
    assert found["models"]["nuclei"]["nuclick"] is True
    assert found["models"]["ritm-glands-glas"]["nuclick"] is False
    assert found["models"]["ritm-glands-glas"]["labels"] == ["Gland"]


@pytest.mark.parametrize("image", ["case 1.a", "case 1.a.svs", "deep/case 1.a.svs", "plain"])
def test_images_are_found_by_their_names(client, folder, image):
    address = f"/datastore/image?image={quote(image)}"
    assert client.head(address).status_code == 200
    path = folder / ("plain.png" if image == "plain" else "deep/case 1.a.svs")
    assert client.get(address).content == path.read_bytes()


@pytest.mark.parametrize("image", ["Präparat 1, 50%", "deep/Präparat 1, 50%.png"])
def test_names_that_were_encoded_twice_are_found(client, folder, image):
    """QuPath takes the name out of an address, where it is encoded, and encodes it."""
    for name in (image, quote(image, safe="")):
        address = f"/datastore/image?image={quote(name, safe='')}"
        assert client.head(address).status_code == 200
        assert client.get(address).content == (folder / "deep" / "Präparat 1, 50%.png").read_bytes()
        assert polygons(infer(client, "rings", name, wsi([(70, 80)])))


@pytest.mark.parametrize("image", ["gone", "twice", "secret", "secret.txt", "../secret", "/etc/passwd", "", "deep",
                                   "%2e%2e%2fsecret", "..%2fsecret.txt", "%2fetc%2fpasswd", "%00", "%ff"])  # fmt: skip
def test_other_images_are_not_there(client, image):
    """The client then sends the pixels itself."""
    assert client.head(f"/datastore/image?image={quote(image)}").status_code == 404
    sentence(client.get(f"/datastore/image?image={quote(image)}"), 404)
    assert infer(client, "rings", image, wsi([(1, 1)])).status_code == 404


def test_positive_and_negative_points_in_a_rectangle_of_a_slide(client, made):
    """The slide is at 0.25 um/px, the model at 0.5: its rings of 40 px are 80 px of the slide."""
    body = wsi([(500, 400)], [(560, 400)], location=(300, 250), size=(400, 300))
    found = polygons(infer(client, "rings", "case 1.a", body))
    assert made._models["rings"].engine.steps[-1].size == (150, 200)
    assert {name for name, _ in found} == {"Gland"}
    count = covered([each for _, each in found], SLIDE[::-1])
    low = ring((450, 600), (250, 200), gone=((280, 200),))
    expected = np.kron(low, np.ones((2, 2), bool))
    assert count.max() == 1
    assert iou(count > 0, expected) > 0.97
    assert count[400, 500] == 0  # the hole
    for _, each in found:
        check_valid([[[*each, each[0]]]])


def test_each_point_is_an_object_where_the_client_is_told_so(client):
    """On the slide, in one run; those near each other share no pixel."""
    places = [(300, 300), (420, 310), (800, 600)]
    found = polygons(infer(client, "window", "case 1.a", wsi(places, location=(200, 200), size=(900, 600))))
    assert {name for name, _ in found} == {"Nucleus"}
    count = covered([each for _, each in found], SLIDE[::-1])
    assert count.max() == 1
    for x, y in places:
        assert count[y, x + 60] or count[y, x - 60]


def test_a_picture_that_is_sent_along(client):
    found = polygons(infer_sent(client, "rings", file(photo(*SIZE)), wsi([(45, 60), (150, 90)])))
    count = covered([each for _, each in found], SIZE)
    expected = ring(SIZE, (45.5, 60.5), (150.5, 90.5))
    assert count.max() == 1
    assert iou(count > 0, expected) > 0.98
    assert len(found) == 4  # each ring in two halves


@pytest.mark.parametrize("name", ["/models/mine", "hf://lab/mine", "lab/mine", "C:\\models\\mine"])
def test_a_checkpoint_of_any_name_is_asked(folder, name, tmp_path):
    """The one that the server was started with is announced as it was given."""
    with client_of(folder, models(**{name: Rings()}), save=tmp_path / "a.sqlite") as client:
        assert name in client.get("/info/").json()["models"]
        for slashes in ("", "/"):
            model, body = quote(name, safe="") + slashes, wsi([(45, 60)])
            assert polygons(infer(client, model, "plain", body))
            assert polygons(infer_sent(client, model, file(photo(*SIZE)), body))


def test_a_checkpoints_folder_is_announced_without_the_slash_behind_it(index):
    fine = str(index.parent / "fine")
    assert Models(f"{fine}/", index=[]).default == fine


def test_small_parts_are_left_out(client):
    content = file(photo(*SIZE))
    assert polygons(infer_sent(client, "rings", content, wsi([(70, 80)], min_poly_area=4500)))
    assert polygons(infer_sent(client, "rings", content, wsi([(70, 80)], min_poly_area=4700))) == []


def test_without_a_folder_pictures_are_sent():
    with client_of() as client:
        assert client.head("/datastore/image?image=plain").status_code == 404
        sentence(client.get("/datastore/image?image=plain"), 404, "zoo serve FOLDER")
        assert polygons(infer_sent(client, "window", file(photo(*SIZE)), wsi([(70, 80)])))
        assert client.get("/api/objects?image=plain.png").status_code == 404


def test_the_resolution_of_what_is_sent_can_be_given(made):
    with client_of(made=made, mpp=0.25) as client:
        infer_sent(client, "rings", file(photo(*SIZE)), wsi([(70, 80)]))
        assert made._models["rings"].engine.steps[-1].size == (75, 100)


def test_the_annotators_interface_answers_too(client):
    assert client.get("/api/about").json()["default"] == "rings"
    assert client.get("/api/objects?image=plain.png").json()["objects"] == []
    assert client.get("/").status_code in (404, 405)  # and has no page


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/datastore/image?image=a"),
        ("PUT", "/datastore/label?image=a"),
        ("POST", "/activelearning/random"),
        ("POST", "/train/nuclei"),
    ],
)
def test_what_is_not_offered_says_so(client, method, path):
    sentence(client.request(method, path, content=b"{}"), 404, "only segments")
    sentence(client.request(method, path, files={"file": b"x"}, data={"params": "{}"}), 404, "only segments")


@pytest.mark.parametrize(
    ("model", "body", "status", "word"),
    [
        ("gone", wsi([(5, 5)]), 404, "'gone'"),
        ("rings", "", 422, ""),
        ("rings", "{", 422, "JSON"),
        ("rings", "[1]", 422, ""),
        ("rings", wsi(), 422, "at least one point"),
        ("window", wsi([], [(5, 5)]), 422, "at least one"),
        ("rings", wsi([(5000, 5)]), 422, "outside"),
        ("rings", wsi([(5, 5)], location=(9000, 9000), size=(10, 10)), 422, "pixel of the image"),
        ("rings", wsi([(5, 5)], size=(-1, 10)), 422, "size"),
        ("rings", wsi([("a", 5)]), 422, "foreground"),
        ("rings", wsi([(5, 5)] * 3000), 422, "foreground"),
        ("rings", wsi([(5, 5)]).replace("[5, 5]", "[NaN, 5]"), 422, "foreground"),
    ],
)
def test_mistakes_are_said(client, model, body, status, word):
    sentence(infer(client, model, "plain", body), status, word)
    if "9000" not in body:  # of a rectangle, which a picture that is sent along has none of
        sentence(infer_sent(client, model, file(photo(*SIZE)), body), status, word)
    assert client.get("/auth/").status_code == 200


def test_files_that_are_no_pictures_are_refused(client):
    sentence(infer_sent(client, "rings", b"no picture", wsi([(5, 5)])), 422, "file", "picture")
    sentence(client.post("/infer/wsi_v2/rings", content=b"x"), 422)
    sentence(client.post("/infer/wsi_v2/rings?output=json", files={"file": b"x"}, data={"wsi": "{}"}), 422, "output")


def test_no_foreign_page_may_send_json_as_text(client):
    """What FastAPI's check of the type guards against: a page elsewhere can send text without asking first."""
    headers = {"Origin": "http://evil.example", "Content-Type": "text/plain"}
    address = "/infer/wsi/rings?image=plain"
    sentence(client.post(address, content=wsi([(70, 80)]), headers=headers), 403, "origin")
    sentence(client.post(address, content=wsi([(70, 80)]), headers={"Host": "rebound.example"}), 403)
    sentence(client.get("/datastore/image?image=plain", headers={"Sec-Fetch-Site": "cross-site"}), 403)


def test_an_object_with_holes_is_cut_into_parts_without():
    mask = np.zeros((60, 80), bool)
    mask[5:50, 5:70] = True
    mask[10:20, 10:20] = mask[30:40, 12:18] = mask[15:25, 40:41] = False
    mask[12:15, 12:15] = True  # an island in a hole
    mask[55:58, 5:9] = True
    found = rings_of(mask, PixelGrid((0.0, 0.0), 1.0, mask.shape, None))
    count = covered(found, mask.shape)
    assert count.max() == 1
    assert iou(count > 0, mask) > 0.99
    for each in found:
        check_valid([[[*each, each[0]]]])
    assert rings_of(mask & False, PixelGrid((0.0, 0.0), 1.0, mask.shape, None)) == []


@pytest.mark.parametrize("start", [0.0, 100_000.0, 1_234_567.0])
def test_parts_of_pixels_are_kept_wherever_they_lie(start):
    mask = np.zeros((9, 9), bool)
    mask[2:7, 2:7] = True
    grid = PixelGrid((start, start), 1.5, mask.shape, None)
    root = ElementTree.fromstring(asap([(mask, grid)], "a", "#ffffff", "m"))
    written = [[float(each.get(axis)) for axis in "XY"] for each in root.iter("Coordinate")]
    assert [written] == rings_of(mask, grid)
    assert any(x % 1 for x, _ in written)

"""Only what lies below the root can be seen."""

import json
import os
from urllib.parse import quote

import pytest
from PIL import Image

from tests.helpers.annotator import begin, client_of, done, refused
from zoo.annotate.refused import RefusedError
from zoo.annotate.root import Root
from zoo.errors import DataError

ODD = ["é ü.png", "a%2e.png", "100%.png", "a+b&c=d.png", "#1.png", "q?.png", "S24:1234.png", "S:1.png",
       "back\\slash.png", "Screenshot 3.04\u202fPM.png", "nbsp\u00a0x.png", "zwnj\u200cx.png"]  # fmt: skip
"""Names of images, which a person may have."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A root with a secret beside it, and links of all kinds."""
    folder = tmp_path_factory.mktemp("place")
    root = folder / "root"
    (root / "in ner").mkdir(parents=True)
    (root / ".hidden").mkdir()
    (folder / "beside").mkdir()
    picture = Image.new("RGB", (40, 30), "red")
    for path in (root / "a.png", root / "in ner" / "b.png", root / ".hidden" / "c.png", root / ".d.png",
                 folder / "secret.png", folder / "beside" / "e.png", *(root / name for name in ODD)):  # fmt: skip
        picture.save(path, format="PNG")
    (root / "out.png").symlink_to(folder / "secret.png")
    (root / "relative.png").symlink_to("../secret.png")
    (root / "outer").symlink_to(folder / "beside")
    (root / "within.png").symlink_to(root / "a.png")
    (root / "circle").symlink_to(root / "circle")
    (root / "broken.png").symlink_to(root / "nowhere.png")
    os.mkfifo(root / "pipe.png")
    return root


@pytest.fixture(scope="module")
def inside(place, models, tmp_path_factory):
    with client_of(place, models, save=tmp_path_factory.mktemp("kept") / "a.sqlite") as client:
        yield client


ESCAPES = [
    "../secret.png",
    "in ner/../../secret.png",
    "in ner/../a.png",
    "./a.png",
    "//a.png",
    "a.png/",
    "a.png/.",
    "..",
    ".",
    "/etc/passwd",
    "/a.png",
    "..\\secret.png",
    "in ner\\..\\..\\secret.png",
    "C:\\secret.png",
    "C:secret.png",
    "file:///etc/passwd",
    "%2e%2e/secret.png",
    "..%2fsecret.png",
    "%252e%252e%252fsecret.png",
    "．．/secret.png",
    "..／secret.png",
    "․․/secret.png",
    "a.png\0",
    "../secret.png\0.png",
    "a.png\n",
    "out.png",
    "relative.png",
    "outer/e.png",
    "circle",
    "circle/a.png",
    "broken.png",
    ".hidden/c.png",
    ".d.png",
    "a" * 300 + ".png",
    "in ner",
    "pipe.png",
    "~/secret.png",
    "$HOME/secret.png",
]


@pytest.mark.parametrize("name", ESCAPES)
def test_nothing_leads_out(inside, name):
    for path in ("/api/image", "/api/tile/0/0_0.jpg", "/api/thumbnail", "/api/objects", "/api/revision"):
        answer = inside.get(path, params={"image": name})
        assert answer.status_code in (404, 422), (path, answer.text)
        assert "secret" not in answer.text.replace(name, "").replace(json.dumps(repr(name))[1:-1], "")
    assert inside.post("/api/objects", json={"image": name}).status_code in (404, 422)
    assert inside.get("/api/export", params={"image": name, "format": "png"}).status_code in (404, 422)
    if name != "in ner":
        assert inside.get("/api/images", params={"folder": name}).status_code in (404, 422)


@pytest.mark.parametrize("query", ["image=%2e%2e%2fsecret.png", "image=%c0%ae%c0%ae/secret.png", "image=%ff", "image=%",
                                   "image=..%5csecret.png", "image=a.png%00", "image=%u002e%u002e/secret.png",
                                   "image=a.png&image=../secret.png", "image="])  # fmt: skip
def test_no_odd_encoding_leads_out(inside, query):
    assert inside.get(f"/api/image?{query}").status_code in (404, 422)


OUT = ["/../secret.png", "/%2e%2e/secret.png", "/..%2f..%2fsecret.png", "/%5c..%5csecret.png", "/../app.py",
       "/%2e%2e/app.py", "//etc/passwd", "/index.html/../../app.py"]  # fmt: skip


@pytest.mark.parametrize("path", OUT)
def test_the_pages_files_are_no_way_out_either(inside, path):
    answer = inside.get(path)
    assert answer.status_code in (400, 404, 405) or b"isegzoo" in answer.content
    assert b"create_app" not in answer.content
    assert b"root:" not in answer.content


@pytest.mark.parametrize("name", [*ODD, "in ner/b.png", "within.png"])
def test_odd_names_are_found(inside, name):
    found = done(inside.get(f"/api/image?image={quote(name, safe='')}"))
    assert (found["image"], found["width"], found["height"]) == (name, 40, 30)
    done(inside.get(f"/api/export?format=geojson&image={quote(name, safe='')}"))
    assert begin(inside, image=name)["image"] == name


@pytest.mark.parametrize("name", ["back\\slash.png", "S:1.png", "in ner\\b.png", "a.png:stream"])
def test_windows_leads_nowhere_else(place, monkeypatch, name):
    """There these are other folders, drives and streams of a file."""
    monkeypatch.setattr("zoo.annotate.root.ELSEWHERE", "\\:")
    with pytest.raises(RefusedError, match="below the root"):
        Root(place).file(name)


def test_names_that_are_no_text_are_left_out(tmp_path, place):
    for name in (b"line\n.png", b"bell\x07.png", b"c1\xc2\x85.png", b"latin\xe9.png"):
        (tmp_path / os.fsdecode(name)).write_bytes((place / "a.png").read_bytes())
    root = Root(tmp_path)
    assert root.entries() == []
    for path in tmp_path.iterdir():
        with pytest.raises(RefusedError, match="below the root"):
            root.file(path.name)


def test_the_list_shows_what_can_be_opened(inside):
    entries = done(inside.get("/api/images"))["entries"]
    assert [each["name"] for each in entries if each["kind"] == "folder"] == ["in ner"]
    images = [each["path"] for each in entries if each["kind"] == "image"]
    assert set(images) == {"a.png", "within.png", *ODD}
    assert [each["path"] for each in done(inside.get("/api/images?folder=in ner"))["entries"]] == ["in ner/b.png"]


def test_a_file_alone_shows_only_itself(place):
    root = Root(place / "a.png")
    assert [each.path for each in root.entries()] == ["a.png"]
    assert root.file("a.png") == place / "a.png"
    for name in ("within.png", "in ner/b.png", "é ü.png"):
        if name != "within.png":
            with pytest.raises(RefusedError):
                root.file(name)
    with pytest.raises(RefusedError):
        root.entries("in ner")


def test_a_root_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        Root(tmp_path / "none")


def test_two_folders_are_told_apart(models, tmp_path):
    """A browser that knows the images of one does not take them for those of another."""
    told = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / name / "a.png")
        os.utime(tmp_path / name / "a.png", (1, 1))
        with client_of(tmp_path / name, models) as client:
            tile = client.get("/api/tile/3/0_0.jpg?image=a.png")
            told.append((tile.headers["etag"], client.get("/api/image?image=a.png").json()["root"]))
            assert "no-cache" in tile.headers["cache-control"]
            kept = {"if-none-match": tile.headers["etag"]}
            assert client.get("/api/tile/3/0_0.jpg?image=a.png", headers=kept).status_code == 304
    assert not set(told[0]) & set(told[1])


def test_what_was_meant_for_another_folder_is_refused(models, tmp_path):
    """Who does not say what was meant is answered."""
    roots = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / name / "a.png")
        with client_of(tmp_path / name, models) as client:
            roots.append(done(client.get("/api/image?image=a.png"))["root"])
            made = {"image": "a.png"}
            for root in roots[:-1]:
                meant = {"x-root": root}
                refused(client.post("/api/objects", json=made, headers=meant), 412, "another folder")
                refused(client.get("/api/revision?image=a.png", headers=meant), 412)
            assert done(client.get("/api/objects?image=a.png"))["objects"] == []
            done(client.post("/api/objects", json=made))
            done(client.post("/api/objects", json=made, headers={"x-root": roots[-1]}))

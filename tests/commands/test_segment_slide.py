import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers.checkpoints import WATERSHED, nuclick_folder, watershed_folder
from tests.helpers.slides import mosaic, write_pyramid
from zoo import Click, Scribble
from zoo.cli import main
from zoo.hub.folder import save_folder
from zoo.images.labels import read_labels
from zoo.interactions import write_json
from zoo.slides import open_slide

SIZE = (400, 300)
SAID = [
    *(Click(x + 0.5, y + 0.5) for x, y in ((90, 110), (200, 150), (255, 190))),
    Click(150.5, 90.5, positive=False, turn=1),
    Scribble(((120.0, 160.0), (160.0, 190.0)), turn=1),
]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with slide.svs, said.json and a method that works on whole images."""
    write_pyramid(tmp_path / "slide.svs", mosaic(*SIZE), mpp=0.5)
    write_json(tmp_path / "said.json", [[each] for each in SAID])
    save_folder(tmp_path / "whole", {**WATERSHED, "init_args": {"window": None}}, {}, "# whole\n")
    return tmp_path


@pytest.fixture
def small(monkeypatch):
    """What is a large slide is a small one."""
    monkeypatch.setattr("zoo.slides.part.MOST_PIXELS", 10_000)


def segment(folder: Path, *more: str, out: str = "mask.tif", ckpt: str = "whole", one: bool = True) -> int:
    common = ["--checkpoint", str(folder / ckpt), "--interactions", str(folder / "said.json")]
    common += ["--one-object"] if one else []
    return main(["segment", str(folder / "slide.svs"), *common, "--out", str(folder / out), *more])


@pytest.mark.parametrize("region", [None, "13,21,321,243"])
@pytest.mark.parametrize("exact", [False, True])
def test_as_in_memory(files, monkeypatch, capsys, region, exact):
    """The same mask, polygons and numbers, whichever way it goes."""
    more = ["--json", *(["--region", region] if region else []), *(["--exact"] if exact else [])]
    assert segment(files, *more, "--geojson", str(files / "a.geojson")) == 0
    expected = json.loads(capsys.readouterr().out)
    monkeypatch.setattr("zoo.slides.part.MOST_PIXELS", 10_000)
    assert segment(files, *more, "--geojson", str(files / "b.geojson"), out="b.tif") == 0
    summary = json.loads(capsys.readouterr().out)
    for each in (summary, expected):
        del each["seconds"], each["written"]
    assert summary == expected
    np.testing.assert_array_equal(read_labels(files / "b.tif"), read_labels(files / "mask.tif"))
    assert json.loads((files / "b.geojson").read_text()) == json.loads((files / "a.geojson").read_text())
    with open_slide(files / "b.tif") as slide:
        assert slide.mpp == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("ckpt", "mpp"), [("watershed", None), ("nuclick", None), ("nuclick", "0.125"), ("nuclick", "0.4")]
)
def test_many_objects_as_in_memory(files, monkeypatch, capsys, ckpt, mpp):
    """In tiles hardly larger than the windows; of a slide at the checkpoint's resolution, a finer and a coarser one."""
    watershed_folder(files / "watershed")
    nuclick_folder(files / "nuclick")
    places = np.random.default_rng(0).random((60, 2)) * SIZE
    objects = [[Click(float(x), float(y))] for x, y in places]
    objects[3].append(Click(places[3][0], abs(places[3][1] - 4), positive=False, turn=1))
    objects.append([Scribble(((100.0, 100.0), (140.0, 120.0)))])
    write_json(files / "said.json", objects)
    more = ["--json", "--region", "0,0,400,300", "--mpp", mpp or "0.25"]
    assert segment(files, *more, "--geojson", str(files / "a.geojson"), ckpt=ckpt, one=False) == 0
    expected = json.loads(capsys.readouterr().out)
    monkeypatch.setattr("zoo.slides.part.MOST_PIXELS", 10_000)
    monkeypatch.setattr("zoo.inference.many.SIDE", 50)
    assert segment(files, *more, "--geojson", str(files / "b.geojson"), out="b.tif", ckpt=ckpt, one=False) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["objects"] == expected["objects"]
    assert len(found["empty"]) < 45  # of 61; at 0.125 um/px most are outside
    np.testing.assert_array_equal(read_labels(files / "b.tif"), read_labels(files / "mask.tif"))
    assert json.loads((files / "b.geojson").read_text()) == json.loads((files / "a.geojson").read_text())


def even_odd(features: list, size: tuple[int, int]) -> np.ndarray:
    """Filled by OpenCV, which does it by the even-odd rule, in eighths of a pixel; pixel centres that are inside."""
    (feature,) = features
    geometry = feature["geometry"]
    shapes = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    rings = [np.round(np.array(ring) * 8).astype(np.int32) for rings in shapes for ring in rings]
    fine = np.zeros((size[1] * 8, size[0] * 8), np.uint8)
    cv2.fillPoly(fine, rings, 1)
    return fine[4::8, 4::8] > 0


def test_polygons_fill_to_the_mask(files, small):
    assert segment(files, "--geojson", str(files / "a.geojson")) == 0
    mask = read_labels(files / "mask.tif") > 0
    features = json.loads((files / "a.geojson").read_text())["features"]
    found = even_odd(features, SIZE)
    assert mask.any()
    assert (found != mask).sum() < 0.01 * mask.sum()  # simplified to half a pixel
    assert features[0]["properties"]["measurements"]["Area px^2"] == mask.sum()


def test_closer_in_boxes(files, capsys, small):
    """The mask has the closer one's mpp; beside the boxes it is the first one's, enlarged."""
    init = {"class_path": "zoo.methods.Watershed", "init_args": {"window": None}}
    save_folder(files / "far", init, {}, "# far\n")
    more = ["--closer", str(files / "whole"), "--zoom", "180,130,60,50", "--geojson", str(files / "a.geojson")]
    assert segment(files, *more, ckpt="far") == 0
    mask = read_labels(files / "mask.tif")
    assert mask.shape == SIZE[::-1]
    assert segment(files, out="far.tif", ckpt="far") == 0
    changed = mask != read_labels(files / "far.tif")
    changed[130:180, 180:240] = False
    assert not changed.any()
    assert even_odd(json.loads((files / "a.geojson").read_text())["features"], SIZE).any()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"out": "mask.png"}, "ends in .tif"),
        ({"one": False}, "holds 5 objects"),
        ({"ckpt": "watershed"}, "objects[0]) is more than 64 px long"),
        ({"ckpt": "watershed", "more": ["--closer", "CKPT", "--zoom", "1,2,3,4"]}, "leave out --closer"),
        ({"more": ["--overlay", "a.png"]}, "--overlay a.png"),
        ({"more": ["--region", "0,0,200,160"]}, "outside the image"),
        ({"more": ["--region", "0,0,401,300"]}, "not inside"),
        ({"more": ["--closer", "whole"]}, "belong together"),
        ({"more": ["--zoom", "1,2,3,4"]}, "belong together"),
        ({"more": ["--closer", "CKPT", "--zoom", "1,2,3"]}, "--zoom 1,2,3: give x,y,width,height"),
        ({"more": ["--closer", "CKPT", "--zoom", "500,2,3,9"]}, "--zoom 500,2,3,9: nothing"),
    ],
)
def test_errors_leave_nothing_behind(files, capsys, monkeypatch, small, more, said):
    watershed_folder(files / "watershed")
    monkeypatch.setattr("zoo.inference.many.SIDE", 64)
    before = sorted(files.rglob("*"))
    given = [each.replace("CKPT", str(files / "whole")) for each in more.pop("more", [])]
    assert segment(files, *given, **more) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err
    assert sorted(files.rglob("*")) == before


@pytest.mark.parametrize("where", ["write_pyramid", "polygons_of", "paint"])
def test_whatever_breaks_leaves_nothing_behind(files, monkeypatch, small, where):
    def broken(*given, **named):
        raise KeyboardInterrupt

    (files / "mask.tif").write_bytes(b"of before")
    before = sorted(files.rglob("*"))
    monkeypatch.setattr(f"zoo.commands.segment_slide.{where}", broken)
    assert segment(files, "--geojson", str(files / "a.geojson")) == 130
    assert sorted(files.rglob("*")) == before
    assert (files / "mask.tif").read_bytes() == b"of before"

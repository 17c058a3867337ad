import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.helpers.checkpoints import nuclick_folder, watershed_folder
from tests.helpers.slides import write_pyramid
from zoo import Click, Scribble
from zoo.cli import main
from zoo.images.labels import read_labels
from zoo.interactions import write_json
from zoo.interactions.single import moved
from zoo.testing import tiny_image
from zoo.testing.stores import DISKS

OBJECTS = [[Click(column + 0.5, row + 0.5)] for row, column in DISKS[:3]]
OBJECTS.append([Scribble(((DISKS[3][1] - 2.0, DISKS[3][0] + 0.5), (DISKS[3][1] + 2.0, DISKS[3][0] + 0.5)))])


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with image.png, clicks.json and a watershed checkpoint."""
    Image.fromarray(tiny_image()[0]).save(tmp_path / "image.png")
    write_json(tmp_path / "clicks.json", OBJECTS)
    watershed_folder(tmp_path / "watershed")
    return tmp_path


def segment(
    folder: Path, *more: str, image: str = "image.png", out: str = "out/mask.png", ckpt: str = "watershed"
) -> int:
    common = ["--checkpoint", str(folder / ckpt), "--interactions", str(folder / "clicks.json")]
    return main(["segment", str(folder / image), *common, "--out", str(folder / out), *more])


@pytest.mark.parametrize("name", ["mask.png", "mask.tif", "mask.npy"])
def test_objects_become_labels(files, name, capsys):
    assert segment(files, out=name) == 0
    labels, truth = read_labels(files / name), tiny_image()[1]
    for number in range(1, 5):
        one, other = labels == number, truth == number
        assert (one & other).sum() / (one | other).sum() > 0.85
    assert capsys.readouterr().out.startswith("4 objects in ")


def test_everything_is_written(files, capsys):
    more = ["--geojson", str(files / "a.geojson"), "--overlay", str(files / "a.png"), "--object-type", "detection"]
    assert segment(files, *more, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    labels = read_labels(files / "out/mask.png")
    assert [each["area"] for each in summary["objects"]] == [(labels == n).sum() for n in range(1, 5)]
    assert summary["written"] == [str(files / name) for name in ("out/mask.png", "a.geojson", "a.png")]
    features = json.loads((files / "a.geojson").read_text())["features"]
    assert [f["properties"]["name"] for f in features] == ["1", "2", "3", "4"]
    assert all(f["properties"]["objectType"] == "detection" for f in features)
    picture = np.asarray(Image.open(files / "a.png"))
    assert picture.shape[0] % 64 == 0
    assert picture.shape[2] == 3


def test_a_label_image_with_more_than_255_objects_has_16_bits(files):
    write_json(files / "clicks.json", [[Click(x % 60 + 2, x // 5 % 60 + 2)] for x in range(300)])
    assert segment(files) == 0
    assert read_labels(files / "out/mask.png").max() > 255


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_kinds_of_images(files, mode):
    Image.open(files / "image.png").convert(mode).save(files / "other.png")
    assert segment(files, image="other.png") == 0
    assert len(np.unique(read_labels(files / "out/mask.png"))) == 5


def test_corrections_in_later_turns(files):
    assert segment(files, out="first.png") == 0
    correction = Click(OBJECTS[0][0].x + 4, OBJECTS[0][0].y, positive=False, turn=1)
    write_json(files / "clicks.json", [[*OBJECTS[0], correction], *OBJECTS[1:]])
    assert segment(files, out="second.png") == 0
    row, column = int(correction.y), int(correction.x)
    assert read_labels(files / "first.png")[row, column] == 1
    assert read_labels(files / "second.png")[row, column] == 0


def test_a_checkpoint_with_mpp_resamples_and_says_so(files, capsys):
    nuclick_folder(files / "nuclick")
    assert segment(files, "--mpp", "0.125", ckpt="nuclick") == 0
    assert "resampled from 0.125 to the checkpoint's 0.25 um/px" in capsys.readouterr().err
    assert read_labels(files / "out/mask.png").shape == (64, 64)
    assert segment(files, ckpt="nuclick") == 0
    said = capsys.readouterr().err
    assert "mpp is unknown" in said
    assert "give --mpp" in said
    assert segment(files, "--mpp", "0.25", ckpt="nuclick") == 0
    said = capsys.readouterr().err
    assert "resampled" not in said
    assert "mpp" not in said


@pytest.mark.parametrize(
    ("count", "named"), [(1, "object 2 came"), (25, "objects 2, 3, 4, "), (25, ", 21 and 5 more came")]
)
def test_empty_objects_are_named(files, capsys, count, named):
    nothing = Click(OBJECTS[0][0].x, OBJECTS[0][0].y)  # the object before is as likely everywhere
    write_json(files / "clicks.json", [OBJECTS[0], *[[nothing]] * count, OBJECTS[1]])
    assert segment(files, "--json") == 0
    out, err = capsys.readouterr()
    assert f"zoo segment: {named}" in err if named.startswith("object") else named in err
    assert "empty; nothing there was likely enough" in err
    assert json.loads(out)["empty"] == list(range(2, count + 2))


def broken(files: Path, what: str) -> list[str]:
    """Break something; returns further arguments."""
    if what == "image":
        (files / "image.png").write_bytes(b"x")
    elif what == "16 bit":
        Image.fromarray(np.zeros((64, 64), np.uint16)).save(files / "image.png")
    elif what == "json":
        (files / "clicks.json").write_text("{")
    elif what == "outside":
        write_json(files / "clicks.json", [[Click(64.5, 3)]])
    elif what == "negative":
        write_json(files / "clicks.json", [[Click(4.5, 3, positive=False)]])
    elif what == "checkpoint":
        (files / "watershed/config.yaml").unlink()
    options = {
        "device": ["--device", "nonsense"],
        "mpp": ["--mpp", "-1"],
        "same": ["--geojson", str(files / "out/mask.png")],
        "overlay": ["--overlay", str(files / "a.jpg")],
        "unwritable": ["--overlay", str(files / "image.png/a.png")],
    }
    return options.get(what, [])


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("image", "image.png: not a readable image"),
        ("16 bit", "8 bits"),
        ("json", "not readable as JSON"),
        ("outside", "clicks.json: object 1 (objects[0]): (64.5, 3.0) lies outside the image"),
        ("negative", "clicks.json: object 1 (objects[0]) has no positive"),
        ("checkpoint", "config.yaml"),
        ("device", "--device nonsense"),
        ("mpp", "--mpp -1: is no resolution"),
        ("same", "same name"),
        ("overlay", ".png"),
    ],
)
def test_errors_leave_nothing_behind(files, capsys, what, said):
    more = broken(files, what)
    before = sorted(files.rglob("*"))
    assert segment(files, *more) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err
    assert sorted(files.rglob("*")) == before


def test_an_output_of_unknown_kind(files, capsys):
    assert segment(files, out="mask.jpg") == 2
    assert ".png, .tif" in capsys.readouterr().err


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["segment", "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    example = text[text.index('{"schema"') : text.index("The first object")]
    objects = json.loads(example)["objects"]
    assert len(objects) == 2


def test_the_example_of_the_help_is_read(files, capsys):
    with pytest.raises(SystemExit):
        main(["segment", "--help"])
    text = capsys.readouterr().out
    (files / "clicks.json").write_text(text[text.index('{"schema"') : text.index("The first object")])
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (128, 256, 3), np.uint8)).save(files / "image.png")
    assert segment(files) == 0


def test_the_resolution_of_the_file(files, capsys):
    nuclick_folder(files / "nuclick")
    picture = tiny_image()[0]
    metadata = {"axes": "YXS", "PhysicalSizeX": 125, "PhysicalSizeXUnit": "nm"}
    metadata |= {"PhysicalSizeY": 125, "PhysicalSizeYUnit": "nm"}
    tifffile.imwrite(files / "a.ome.tif", picture, photometric="rgb", metadata=metadata)
    assert segment(files, "--json", image="a.ome.tif", ckpt="nuclick") == 0
    captured = capsys.readouterr()
    assert "resampled from 0.125 to the checkpoint's 0.25 um/px" in captured.err
    assert json.loads(captured.out)["mpp"] == 0.125
    assert segment(files, "--mpp", "0.25", image="a.ome.tif", ckpt="nuclick") == 0
    assert "mpp 0.25 as given; the file says 0.125 (OME-XML)" in capsys.readouterr().err


def test_channels_pages_and_windows(files, capsys):
    picture = tiny_image()[0]
    deep = np.moveaxis(picture, -1, 0).astype(np.uint16) * 16
    tifffile.imwrite(files / "a.tif", np.concatenate([deep[:1] * 0, deep]), photometric="minisblack")
    assert segment(files) == 0
    expected = read_labels(files / "out/mask.png")
    assert segment(files, image="a.tif") == 2
    assert "--channels" in capsys.readouterr().err
    assert segment(files, "--channels", "2,3,4", image="a.tif") == 2
    assert "--window" in capsys.readouterr().err
    assert segment(files, "--channels", "2,3,4", "--window", "0,4080", image="a.tif") == 0
    assert "values 0 to 4080 are shown as 0 to 255" in capsys.readouterr().err
    np.testing.assert_array_equal(read_labels(files / "out/mask.png"), expected)


def test_a_region(files, capsys):
    """Of a slide and of a picture; interactions and GeoJSON are in pixels of the whole."""
    whole = np.full((300, 400, 3), 240, np.uint8)
    picture, truth = tiny_image()
    x0, y0 = 131, 87
    whole[y0 : y0 + 64, x0 : x0 + 64] = picture
    Image.fromarray(whole).save(files / "whole.png")
    write_pyramid(files / "whole.svs", whole, mpp=0.5)
    assert segment(files) == 0
    expected = read_labels(files / "out/mask.png")
    write_json(files / "clicks.json", [[moved(each, (-x0, -y0), 1) for each in one] for one in OBJECTS])
    for name in ("whole.png", "whole.svs"):
        more = ["--region", f"{x0},{y0},64,64", "--geojson", str(files / "a.geojson"), "--json"]
        capsys.readouterr()
        assert segment(files, *more, image=name) == 0
        summary = json.loads(capsys.readouterr().out)
        np.testing.assert_array_equal(read_labels(files / "out/mask.png"), expected)
        assert summary["region"] == [x0, y0, 64, 64]
        assert summary["mpp"] == (0.5 if name == "whole.svs" else None)
        for number, feature in enumerate(json.loads((files / "a.geojson").read_text())["features"], 1):
            mask = np.zeros((300, 400), np.uint8)
            cv2.fillPoly(mask, [np.array(feature["geometry"]["coordinates"][0], np.int32)], 1)
            one = np.zeros((300, 400), bool)
            one[y0 : y0 + 64, x0 : x0 + 64] = truth == number
            assert (one & (mask > 0)).sum() / one.sum() > 0.85
    for region, said in (("0,0,401,10", "not inside"), ("0,0,0,4", "not inside"), ("1,2,3", "give x,y,width,height")):
        assert segment(files, "--region", region, image="whole.svs") == 2
        assert said in capsys.readouterr().err


def test_a_region_is_read_at_the_checkpoints_mpp(files, capsys):
    nuclick_folder(files / "nuclick")
    picture = tiny_image()[0].repeat(2, 0).repeat(2, 1)
    whole = np.full((300, 400, 3), 240, np.uint8)
    whole[80:208, 130:258] = picture
    write_pyramid(files / "whole.svs", whole, mpp=0.125, magnification=80)
    write_json(files / "clicks.json", [[Click(130 + 2 * 32.5, 80 + 2 * 32.5)]])
    geojson = files / "a.geojson"
    region = ["--region", "130,80,128,128", "--geojson", str(geojson), "--exact"]
    assert segment(files, *region, image="whole.svs", ckpt="nuclick") == 0
    assert "the region is read at 0.25 um/px" in capsys.readouterr().err
    labels = read_labels(files / "out/mask.png")
    assert labels.shape == (64, 64)
    rows, columns = np.nonzero(labels)
    geometry = json.loads(geojson.read_text())["features"][0]["geometry"]
    shapes = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    xy = np.concatenate([np.array(ring) for shape in shapes for ring in shape])
    assert xy.min(0).tolist() == [130 + 2 * columns.min(), 80 + 2 * rows.min()]
    assert xy.max(0).tolist() == [130 + 2 * (columns.max() + 1), 80 + 2 * (rows.max() + 1)]


def test_large_slides_become_pyramids(files, capsys, monkeypatch):
    monkeypatch.setattr("zoo.slides.part.MOST_PIXELS", 10_000)
    whole = np.full((300, 400, 3), 240, np.uint8)
    for name in ("whole.svs", "whole.tif"):
        write_pyramid(files / name, whole, mpp=0.25)
        for more in ([], ["--region", "0,0,300,200"]):
            assert segment(files, *more, image=name) == 2
            assert "ends in .tif" in capsys.readouterr().err
        assert segment(files, "--region", "0,0,100,100", image=name) == 0


def point(name: str | None, *places: tuple[float, float]) -> dict:
    shape = {"type": "MultiPoint", "coordinates": places}
    if len(places) == 1:
        shape = {"type": "Point", "coordinates": places[0]}
    about = {"objectType": "annotation"} | ({"classification": {"name": name}} if name else {})
    return {"type": "Feature", "geometry": shape, "properties": about}


def test_points_of_qupath(files):
    first, second, third = ((given.x, given.y) for (given,) in OBJECTS[:3])
    square = {"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 4], [0, 0]]]}
    features = [point("Tumor", first, second), {"type": "Feature", "geometry": square}, point(None, third)]
    (files / "clicks.json").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    more = ["--geojson", str(files / "a.geojson"), "--class-name", "Other", "--mpp", "0.5"]
    assert segment(files, *more) == 0
    labels, truth = read_labels(files / "out/mask.png"), tiny_image()[1]
    for number in range(1, 4):
        assert ((labels == number) & (truth == number)).sum() / ((labels == number) | (truth == number)).sum() > 0.85
    found = [each["properties"] for each in json.loads((files / "a.geojson").read_text())["features"]]
    assert [each["classification"]["name"] for each in found] == ["Tumor", "Tumor", "Other"]
    for number, each in enumerate(found, 1):
        area = int((labels == number).sum())
        assert each["measurements"]["Area px^2"] == area
        assert each["measurements"]["Area \u00b5m^2"] == area / 4
        assert 0.5 < each["measurements"]["Probability"] <= 1


def test_points_of_one_object_and_negative_ones(files):
    (first,), (second,), (third,) = OBJECTS[:3]
    places = [(each.x, each.y) for each in (first, second, third)]
    for refused in ("Negative", "Ignore*"):
        content = [point(None, places[0]), point(None, places[1]), point(refused, places[2])]
        (files / "clicks.json").write_text(json.dumps(content))
        assert segment(files, "--one-object") == 0
        labels = read_labels(files / "out/mask.png")
        assert labels.max() == 1
        assert [labels[int(y), int(x)] for x, y in places] == [1, 1, 0]
        assert segment(files) == 0
        labels = read_labels(files / "out/mask.png")
        assert [labels[int(y), int(x)] for x, y in places] == [1, 2, 0]


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ([], "no positive point"),
        ([point("Negative", (3.5, 3.5))], "no positive point"),
        ([point(None, (3.5, "a"))], "no coordinates"),
        ([point(None, (float("nan"), 3.0))], "nowhere"),
        ([point(None, (3.5, 900.0))], "outside the image"),
    ],
)
def test_points_that_can_not_be_used(files, capsys, features, said):
    (files / "clicks.json").write_text(json.dumps(features))
    assert segment(files) == 2
    assert said in capsys.readouterr().err


def test_inputs_are_not_written_over(files, capsys):
    before = {name: (files / name).read_bytes() for name in ("image.png", "clicks.json")}
    assert segment(files, out="image.png") == 2
    assert "image.png: is read, and would be written over" in capsys.readouterr().err
    assert segment(files, "--geojson", str(files / "clicks.json")) == 2
    assert before == {name: (files / name).read_bytes() for name in before}


def test_all_is_written_or_nothing(files, capsys):
    (files / "b.json").mkdir()
    assert segment(files, "--geojson", str(files / "b.json"), out="mask.png") == 2
    assert "b.json: can't be written" in capsys.readouterr().err
    assert {path.name for path in files.iterdir()} == {"image.png", "clicks.json", "watershed", "b.json"}

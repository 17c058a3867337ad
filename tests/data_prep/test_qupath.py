import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.splits import split_of
from tests.data_prep.slide_sets import add_slide, box, check_labels, filled, prepare
from tests.helpers.dicom import write_dicom
from tests.helpers.slides import mosaic
from zoo.errors import ConfigError, DataError

PATCHES = ("--magnification", "5", "--size", "32")


def feature(corners: list[tuple[float, float]], name: str | None) -> dict:
    classification = {"classification": {"name": name, "color": [200, 0, 0]}} if name else {}
    ring = [list(corner) for corner in [*corners, corners[0]]]
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"objectType": "annotation", **classification},
    }


FEATURES = [
    feature(box(100, 80, 300, 240), "Tumor"),
    feature(box(280, 220, 380, 320), "Stroma"),
    feature(box(120, 100, 140, 120), None),
]


def write(path: Path, features: list[dict]) -> None:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


@pytest.fixture
def source(tmp_path) -> Path:
    root = tmp_path / "mine"
    add_slide(root / "anna_1.svs")
    write(root / "anna_1.geojson", FEATURES)
    return root


def test_all_classes_are_the_region(source, tmp_path):
    store = prepare("qupath", source, tmp_path / "out", *PATCHES)["anna_1"]
    check_labels(store, "5x", filled((100, 80, 300, 240), (280, 220, 380, 320)), 4)
    (group,) = store.groups
    assert (group.split, group.patient) == ("train", "anna_1")
    assert (store.info.dataset, store.info.labels) == ("mine", "region")


def test_classes(source, tmp_path):
    store = prepare("qupath", source, tmp_path / "a", *PATCHES, "--classes", "Stroma", "--ignore-classes", "Tumor")
    expected = filled((280, 220, 380, 320))
    expected[80:240, 100:300] = 255
    check_labels(store["anna_1"], "5x", expected, 4)
    unclassed = prepare("qupath", source, tmp_path / "b", *PATCHES, "--classes", "")["anna_1"]
    check_labels(unclassed, "5x", filled((120, 100, 140, 120)), 4)
    with pytest.raises(DataError, match=r"class 'tumor' is in none of 1 .* there are: '', 'Stroma', 'Tumor'"):
        prepare("qupath", source, tmp_path / "c", *PATCHES, "--classes", "tumor")
    with pytest.raises(ConfigError, match="instances have no value"):
        prepare("qupath", source, tmp_path / "c", *PATCHES, "--labels", "instances", "--ignore-classes", "Tumor")


def test_instances(source, tmp_path):
    store = prepare("qupath", source, tmp_path / "out", *PATCHES, "--labels", "instances")["anna_1"]
    expected = filled((100, 80, 300, 240)).astype(int)
    expected[220:320, 280:380] = 2
    expected[100:120, 120:140] = 3
    assert store.info.labels == "instances"
    check_labels(store, "5x", expected, 4)
    assert set(np.unique(store.objects("5x")["id"])) <= {1, 2, 3}


def test_what_encloses_nothing_is_left_out_and_counted(source, tmp_path, capsys):
    nothing = [
        {"type": "Feature", "geometry": None},
        feature(box(0, 0, 1, 1), "Tumor") | {"geometry": {"type": "Point", "coordinates": [5, 5]}},
    ]
    write(source / "anna_1.geojson", [*FEATURES, *nothing])
    store = prepare("qupath", source, tmp_path / "out", *PATCHES)["anna_1"]
    check_labels(store, "5x", filled((100, 80, 300, 240), (280, 220, 380, 320)), 4)
    expected = {"without a geometry": 1, "Point": 1}
    assert json.loads(store.groups[0].attributes["left_out"]) == expected
    with (tmp_path / "out" / "summary.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert json.loads(row["left_out"]) == expected
    assert "left out" in capsys.readouterr().err


def test_cells_and_their_nuclei(source, tmp_path):
    nucleus = {"type": "Polygon", "coordinates": [[*box(160, 120, 240, 200), box(160, 120, 240, 200)[0]]]}
    write(source / "anna_1.geojson", [FEATURES[0] | {"nucleusGeometry": nucleus}])
    for options, expected, left_out in (
        ((), (100, 80, 300, 240), "nuclei of cells"),
        (("--geometry", "cell"), (100, 80, 300, 240), None),
        (("--geometry", "nucleus"), (160, 120, 240, 200), None),
    ):
        store = prepare("qupath", source, tmp_path / "-".join(("out", *options)), *PATCHES, *options)["anna_1"]
        check_labels(store, "5x", filled(expected), 4)
        assert (left_out or "") in store.groups[0].attributes.get("left_out", "")
        assert ("left_out" in store.groups[0].attributes) == bool(left_out)


def test_slides_in_dicom_of_one_or_several_files(tmp_path):
    pytest.importorskip("pydicom")
    from pydicom.uid import generate_uid

    source, series = tmp_path / "dicom", generate_uid()
    source.mkdir()
    image = mosaic(1024, 1024)
    write_dicom(source / "anna_1.dcm", image, 0.5, series)
    write_dicom(source / "level-1.dcm", np.ascontiguousarray(image[::2, ::2]), 1.0, series)
    write_dicom(source / "bert_1.dcm", image[:512, :512], 0.5)
    for name in ("anna_1", "bert_1"):
        write(source / f"{name}.geojson", FEATURES)
    stores = prepare("qupath", source, tmp_path / "out", *PATCHES)
    assert set(stores) == {"anna_1", "bert_1"}
    truth = np.zeros((1024, 1024), np.uint8)
    truth[80:240, 100:300] = truth[220:320, 280:380] = 1
    check_labels(stores["anna_1"], "5x", truth, 4)
    assert stores["anna_1"].groups[0].mpp == pytest.approx(2.0)
    (source / "bert_1.geojson").unlink()
    with pytest.raises(DataError, match="bert_1 has no GeoJSON"):
        prepare("qupath", source, tmp_path / "again", *PATCHES)


def test_splits_and_patients(source, tmp_path):
    for split, name in (("train", "anna_1"), ("test", "bert_1")):
        add_slide(tmp_path / "split" / split / f"{name}.svs")
        write(tmp_path / "split" / split / f"{name}.geojson", FEATURES)
    stores = prepare("qupath", tmp_path / "split", tmp_path / "out", *PATCHES, "--patient-regex", r"^(\w+)_")
    groups = {name: store.groups[0] for name, store in stores.items()}
    assert {name: (group.split, group.patient) for name, group in groups.items()} == {
        "train-anna_1": ("train", "anna"),
        "test-bert_1": ("test", "bert"),
    }
    with pytest.raises(ConfigError, match="has folders for its splits"):
        prepare("qupath", tmp_path / "split", tmp_path / "out", *PATCHES, "--val-fraction", "0.2")
    held = prepare("qupath", source, tmp_path / "held", *PATCHES, "--test-fraction", "1")["anna_1"]
    assert held.groups[0].split == "test"


def test_mistakes_are_named(source, tmp_path):
    out = tmp_path / "out"
    add_slide(source / "bert_1.svs")
    with pytest.raises(DataError, match=r"bert_1 has no GeoJSON(.|\n)*NAME\.geojson"):
        prepare("qupath", source, out, *PATCHES)
    (source / "bert_1.svs").unlink()
    write(source / "bert_1.geojson", FEATURES)
    with pytest.raises(DataError, match="bert_1 has no slide"):
        prepare("qupath", source, out, *PATCHES)
    (source / "bert_1.geojson").unlink()
    (source / "anna_1.tif").write_bytes(b"")
    with pytest.raises(DataError, match="another ending"):
        prepare("qupath", source, out, *PATCHES)
    (source / "anna_1.tif").unlink()
    write(source / "anna_1.geojson", [*FEATURES, feature(box(5000, 0, 5010, 10), "Tumor")])
    with pytest.raises(DataError, match=r"anna_1\.geojson: object 4 \(Tumor\) lies .* outside the slide"):
        prepare("qupath", source, out, *PATCHES)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no slides \(\.svs"):
        prepare("qupath", tmp_path / "empty", out, *PATCHES)


class Shares:
    def __init__(self, val: float, test: float) -> None:
        self.val_fraction, self.test_fraction = val, test


def test_patients_are_split_by_a_hash():
    patients = [f"01_01_{number:04d}" for number in range(4000)]
    splits = [split_of(patient, Shares(0.1, 0.2)) for patient in patients]
    assert abs(splits.count("val") / 4000 - 0.1) < 0.02
    assert abs(splits.count("test") / 4000 - 0.2) < 0.02
    more = [split_of(patient, Shares(0.3, 0.2)) for patient in patients]
    assert [split == "test" for split in more] == [split == "test" for split in splits]
    assert split_of("01_01_0083", Shares(0.1, 0.1)) == "train"  # by heart: the same on every machine and version
    assert {split_of(patient, Shares(0, 0)) for patient in patients} == {"train"}
    for wrong in (Shares(-0.1, 0), Shares(0.6, 0.6)):
        with pytest.raises(ConfigError, match="sum is at most 1"):
            split_of("a", wrong)


def test_files_of_the_system_and_letters_in_two_ways(source, tmp_path):
    (source / "anna_1.svs").rename(source / "Bjo\u0308rn_1.svs")
    (source / "anna_1.geojson").rename(source / "Bj\u00f6rn_1.geojson")
    for name in ("._Bj\u00f6rn_1.svs", "._Bj\u00f6rn_1.geojson"):
        (source / name).write_bytes(b"\0\5\x16\7Mac OS X")
    assert list(prepare("qupath", source, tmp_path / "out", *PATCHES)) == ["Bj\u00f6rn_1"]


def test_a_picture_does_not_replace_a_slide(tmp_path):
    source = tmp_path / "mine"
    source.mkdir()
    Image.fromarray(mosaic(500, 400)).save(source / "a.png")
    write(source / "a.geojson", FEATURES)
    before = (source / "a.png").read_bytes()
    with pytest.raises(ConfigError, match=r"a\.png: is read, and would be written over"):
        prepare("qupath", source, source, *PATCHES, "--slide-mpp", "0.5", "--slide-magnification", "20")
    assert (source / "a.png").read_bytes() == before
    assert not list(source.glob("*.h5"))

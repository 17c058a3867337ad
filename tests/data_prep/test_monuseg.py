from pathlib import Path

import numpy as np
import pytest
import tifffile

from data_prep.cli import main
from data_prep.datasets import monuseg
from zoo.errors import DataError
from zoo.store.reader import Store

TRAIN, TEST = "MoNuSeg 2018 Training Data", "MoNuSegTestData"
TEST_PATIENTS = """
TCGA-2Z-A9J9 TCGA-44-2665 TCGA-69-7764 TCGA-A6-6782 TCGA-AC-A2FO TCGA-AO-A0J2 TCGA-CU-A0YN
TCGA-EJ-A46H TCGA-FG-A4MU TCGA-GL-6846 TCGA-HC-7209 TCGA-HT-8564 TCGA-IZ-8196 TCGA-ZF-A9R5
"""


def region(points: list[tuple[float, float]]) -> str:
    vertices = "".join(f'<Vertex X="{x}" Y="{y}"/>' for x, y in points)
    return f'<Region Id="1" Type="0"><Attributes/><Vertices>{vertices}</Vertices></Region>'


def rectangle(x0: float, y0: float, x1: float, y1: float) -> str:
    return region([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def add(image: Path, annotation: Path, regions: str) -> None:
    image.parent.mkdir(parents=True, exist_ok=True)
    annotation.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    tifffile.imwrite(image, pixels, photometric="rgb")
    header = "<RegionAttributeHeaders><AttributeHeader Id='1' Name='Region'/></RegionAttributeHeaders>"
    text = f'<Annotations MicronsPerPixel="0.25"><Annotation Id="1"><Regions>{header}{regions}</Regions>'
    annotation.write_text(text + "</Annotation></Annotations>")


@pytest.fixture
def source(tmp_path) -> Path:
    root = tmp_path / "raw"
    two = rectangle(3.5, 2.5, 13.5, 9.5) + rectangle(10.5, 5.5, 20.5, 12.5)
    for stem in ("TCGA-A7-A13E-01Z-00-DX1", "TCGA-B0-5698-01Z-00-DX1", "TCGA-AR-A1AS-01Z-00-DX1"):
        add(root / TRAIN / "Tissue Images" / f"{stem}.tif", root / TRAIN / "Annotations" / f"{stem}.xml", two)
    stem = "TCGA-2Z-A9J9-01A-01-TS1"
    add(root / TEST / f"{stem}.tif", root / TEST / f"{stem}.xml", two)
    return root


def stores(out: Path) -> dict[str, Store]:
    return {path.stem[:12]: Store(path) for path in sorted(out.glob("*.h5"))}


def test_challenge_split(source, tmp_path):
    assert main(["monuseg", "--source", str(source), "--out", str(tmp_path / "out")]) == 0
    made = stores(tmp_path / "out")
    splits = {patient: store.groups[0].split for patient, store in made.items()}
    assert splits == {
        "TCGA-A7-A13E": "train",
        "TCGA-AR-A1AS": "train",
        "TCGA-B0-5698": "val",
        "TCGA-2Z-A9J9": "test",
    }
    store = made["TCGA-B0-5698"]
    (group,) = store.groups
    assert (group.patient, group.slide) == ("TCGA-B0-5698", "TCGA-B0-5698-01Z-00-DX1")
    assert (group.mpp, group.magnification, group.attributes["organ"]) == (0.25, 40, "kidney")
    assert store.info.dataset == "MoNuSeg (challenge split)"
    assert store.info.licence == "CC BY-NC-SA 4.0"
    assert store.info.split_unit == "patient"


def test_kumar_split_needs_no_test_folder(source, tmp_path):
    for path in (source / TEST).iterdir():
        path.unlink()
    assert main(["monuseg", "--source", str(source), "--out", str(tmp_path / "out"), "--split", "kumar"]) == 0
    splits = {patient: store.groups[0].split for patient, store in stores(tmp_path / "out").items()}
    assert splits == {"TCGA-A7-A13E": "train", "TCGA-AR-A1AS": "val", "TCGA-B0-5698": "test"}


def test_outlines_are_filled_where_the_publishers_masks_are(source, tmp_path):
    main(["monuseg", "--source", str(source), "--out", str(tmp_path / "out")])
    store = stores(tmp_path / "out")["TCGA-A7-A13E"]
    expected = np.zeros((40, 50), int)
    expected[2:9, 3:13] = 1  # MATLAB's 3.5..13.5 are columns 4 to 13 counted from 1
    expected[5:12, 10:20] = 2  # the later outline wins
    np.testing.assert_array_equal(store.label(store.groups[0].name, 0), expected)


def test_outlines_beyond_the_border_are_cut(tmp_path):
    add(tmp_path / "a.tif", tmp_path / "a.xml", rectangle(-3.5, -2.5, 4.5, 3.5) + rectangle(48.5, 38.5, 60.5, 70.5))
    label = monuseg.read_annotation(tmp_path / "a.xml", (40, 50))
    expected = np.zeros((40, 50), int)
    expected[:3, :4] = 1
    expected[38:, 48:] = 2
    np.testing.assert_array_equal(label, expected)


def test_lists_of_patients_are_whole():
    train = {patient for patient in monuseg.ORGAN_OF if patient not in TEST_PATIENTS}
    assert len(train) == 30
    assert len(monuseg.ORGAN_OF) == 44
    assert train >= monuseg.CHALLENGE_VAL
    assert len({monuseg.ORGAN_OF[patient] for patient in monuseg.CHALLENGE_VAL}) == 6
    assert len(monuseg.KUMAR_TEST) == 14
    assert train >= monuseg.KUMAR_TEST
    assert not monuseg.KUMAR_TEST & monuseg.KUMAR_VAL
    remaining = [monuseg.ORGAN_OF[patient] for patient in train - monuseg.KUMAR_TEST]
    assert sorted(remaining) == sorted(["breast", "kidney", "liver", "prostate"] * 4)
    assert {monuseg.ORGAN_OF[patient] for patient in monuseg.KUMAR_VAL} == set(remaining)


def test_wrong_sources_are_named(source, tmp_path):
    arguments = ["monuseg", "--out", str(tmp_path / "out"), "--source"]
    with pytest.raises(DataError, match=r"no such folder(.|\n)*Tissue Images"):
        main([*arguments, str(tmp_path / "gone")])
    with pytest.raises(DataError, match=r"no TCGA-\*.tif(.|\n)*Tissue Images"):
        main([*arguments, str(tmp_path)])
    annotation = source / TEST / "TCGA-2Z-A9J9-01A-01-TS1.xml"
    annotation.write_text("<Annotations><Annot")
    with pytest.raises(DataError, match="not an XML file"):
        main([*arguments, str(source)])
    annotation.write_text("<Annotations/>")
    with pytest.raises(DataError, match="no Region"):
        main([*arguments, str(source), "--force"])
    annotation.unlink()
    with pytest.raises(DataError, match="has no"):
        main([*arguments, str(source), "--force"])

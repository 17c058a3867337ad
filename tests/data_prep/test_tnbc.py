from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.cli import main
from data_prep.plan import Group, Plan
from tests.data_prep.plans import groups, plan
from zoo.errors import ConfigError, DataError
from zoo.store.reader import Store

NAMES = ("01_1", "01_2", "02_1", "03_1", "07_1")
IDS = np.zeros((12, 10), np.uint16)
IDS[1:4, 1:4], IDS[4:6, 1:4], IDS[8:11, 5:9] = 3, 700, 41  # two that touch, and one alone


def picture(name: str) -> np.ndarray:
    return np.random.default_rng(int(name.replace("_", ""))).integers(0, 256, (12, 10, 3), np.uint8)


def publishers(source: Path, ids: np.ndarray = IDS) -> Path:
    for name in NAMES:
        patient = name[:2]
        for folder in (f"Slide_{patient}", f"GT_{patient}"):
            (source / folder).mkdir(parents=True, exist_ok=True)
        opaque = np.full((12, 10, 1), 255, np.uint8)  # the publisher's have an empty fourth channel
        Image.fromarray(np.dstack([picture(name), opaque])).save(source / f"Slide_{patient}" / f"{name}.png")
        Image.fromarray(ids).save(source / f"GT_{patient}" / f"{name}.png")
    return source


def one_folder(source: Path, kind: str) -> Path:
    (source / "images").mkdir(parents=True)
    (source / "labels").mkdir()
    for name in NAMES:
        Image.fromarray(picture(name)).save(source / "images" / f"{name}.{kind}", lossless=True)
        Image.fromarray(IDS).save(source / "labels" / f"{name}.png")
    return source


def made(source: Path, *more: str) -> dict[str, Group]:
    return groups("tnbc", source, *more)


def planned(source: Path, *more: str) -> Plan:
    return plan("tnbc", source, *more)


@pytest.mark.parametrize("layout", ["publisher", "webp", "png"])
def test_pixels_ids_and_patients_in_each_layout(tmp_path, layout):
    source = publishers(tmp_path) if layout == "publisher" else one_folder(tmp_path / "copy", layout)
    found = made(source)
    assert {name: (group.patient, group.split) for name, group in found.items()} == {
        "01_1": ("01", "train"),
        "01_2": ("01", "train"),
        "02_1": ("02", "train"),
        "03_1": ("03", "val"),
        "07_1": ("07", "val"),
    }
    for name, group in found.items():
        (patch,) = group.patches
        np.testing.assert_array_equal(patch.image, picture(name))
        np.testing.assert_array_equal(patch.label, IDS)
        assert (group.mpp, group.magnification, group.slide) == (0.25, 40, name)
    assert (planned(source).licence, planned(source).split_unit) == ("CC BY 4.0", "patient")


def test_masks_are_cut_into_their_pieces(tmp_path):
    corner = np.zeros((12, 10), np.uint8)
    corner[1:4, 1:4], corner[4:6, 4:6], corner[9, 9] = 255, 255, 255  # the first two touch at a corner
    (patch,) = made(publishers(tmp_path, corner))["01_1"].patches
    np.testing.assert_array_equal(patch.label > 0, corner > 0)
    assert patch.label[1, 1] == patch.label[5, 5] != patch.label[9, 9]


def test_other_splits(tmp_path):
    publishers(tmp_path)
    found = made(tmp_path, "--val", "1", "--test", "2", "7")
    assert {group.patient: group.split for group in found.values()} == {
        "01": "val",
        "02": "test",
        "03": "train",
        "07": "test",
    }
    assert {group.split for group in made(tmp_path, "--val").values()} == {"train"}
    with pytest.raises(ConfigError, match="patient 7; name it once"):
        planned(tmp_path, "--test", "7")
    with pytest.raises(ConfigError, match="no image of patient 5"):
        planned(tmp_path, "--test", "5")


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no folder Slide_01(.|\n)*Expected layout:"):
        planned(tmp_path)
    publishers(tmp_path)
    (tmp_path / "GT_03" / "03_1.png").unlink()
    with pytest.raises(DataError, match=r"Slide_03/03_1\.png has no GT_03/03_1\.png"):
        planned(tmp_path)


def test_the_command_writes_one_store_an_image(tmp_path):
    source = one_folder(tmp_path / "copy", "webp")
    assert main(["tnbc", "--source", str(source), "--out", str(tmp_path / "out")]) == 0
    stores = sorted((tmp_path / "out").glob("*.h5"))
    assert [path.stem for path in stores] == list(NAMES)
    assert sorted(Store(stores[0]).objects("01_1")["id"]) == [3, 41, 700]

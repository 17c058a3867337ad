import argparse
from collections import Counter
from functools import partial

import numpy as np
import pytest
from PIL import Image

from data_prep.cli import main
from data_prep.datasets import glas
from data_prep.plan import Group
from tests.data_prep.glas_copy import HEADER, write_copy, write_grades
from zoo.data import ObjectWindows, PatchDataModule
from zoo.errors import DataError
from zoo.store.reader import Store

# Only the table of fields has to be the publisher's here: testA_46 lies bottom right in one, train_100 in none.
PATIENTS = {"train_1": "11", "train_2": "1", "train_100": "13", "testA_46": "4", "testB_1": "10"}


def groups(source) -> dict[str, Group]:
    return {shard.stem: next(iter(shard.read())) for shard in glas.plan(source, argparse.Namespace()).shards}


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_line_endings_and_spaces(tmp_path, end):
    folder = write_copy(tmp_path, PATIENTS, end)
    assert glas.read_grades(tmp_path, folder / "Grade.csv") == {
        name: (patient, "malignant", "poorly differentiated") for name, patient in PATIENTS.items()
    }


def test_images_become_groups(tmp_path):
    folder = write_copy(tmp_path, PATIENTS)
    made = groups(tmp_path)
    assert list(made) == ["train_1", "train_2", "train_100", "testA_46", "testB_1"]
    assert {name: group.split for name, group in made.items()} == {
        "train_1": "val", "train_2": "train", "train_100": "train", "testA_46": "test", "testB_1": "test",
    }  # fmt: skip
    assert [group.attributes["part"] for group in made.values()] == ["train", "train", "train", "testA", "testB"]
    group = made["testA_46"]
    assert (group.slide, group.patient, group.mpp, group.magnification) == ("field_00", "4", 0.62, 20)
    assert group.attributes == {
        "part": "testA", "field": "field_00", "grade": "malignant", "grade_2015": "poorly differentiated",
    }  # fmt: skip
    (patch,) = group.patches
    assert patch.origin == (9, 6)  # the tile of row 1 and column 1
    np.testing.assert_array_equal(patch.image, np.asarray(Image.open(folder / "testA_46.bmp")))
    np.testing.assert_array_equal(patch.label, np.asarray(Image.open(folder / "testA_46_anno.bmp")))
    single = made["train_100"]
    assert (single.slide, next(iter(single.patches)).origin) == ("train_100", (0, 0))
    assert groups(folder).keys() == made.keys()


def test_stores_load(tmp_path):
    write_copy(tmp_path / "raw", PATIENTS, size=(40, 60))
    assert main(["glas", "--source", str(tmp_path / "raw"), "--out", str(tmp_path / "out"), "--workers", "1"]) == 0
    store = Store(tmp_path / "out" / "train_1.h5")
    assert (store.info.dataset, store.info.split_unit, store.info.labels) == ("GlaS", "field", "instances")
    assert store.info.licence.startswith("research only")
    data = PatchDataModule([str(tmp_path / "out" / "*.h5")], train=partial(ObjectWindows, side=16), batch_size=1)
    for stage, splits in {"fit": ("train", "val"), "test": ("test",)}.items():
        data.setup(stage)
        assert [len(data.datasets[split]) for split in splits] == [3 * n for n in ((2, 1) if stage == "fit" else (2,))]


def test_neighbouring_tiles_and_patients_stay_on_one_side():
    sides: dict[str, set[str]] = {}
    for name, place in glas.read_places().items():
        split = glas.split_of(glas.part_of(name), place.patient)
        sides.setdefault(place.field, set()).add(split)
    assert all(len(splits) == 1 for splits in sides.values())
    assert glas.split_of("testA", "9") == "test"


def test_table_of_fields():
    places = glas.read_places()
    assert len(places) == 151
    assert len({(place.field, place.row, place.col) for place in places.values()}) == 151
    assert {(place.row, place.col) for place in places.values()} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert Counter(Counter(place.field for place in places.values()).values()) == {4: 37, 3: 1}
    patients: dict[str, set[str]] = {}
    for place in places.values():
        patients.setdefault(place.field, set()).add(place.patient)
    assert all(len(found) == 1 for found in patients.values())


def test_wrong_layouts_show_the_expected_one(tmp_path):
    with pytest.raises(DataError, match=r"no train_\*.bmp(.|\n)*testA_1_anno.bmp"):
        groups(tmp_path)
    folder = write_copy(tmp_path, PATIENTS)
    (folder / "testB_1.bmp").unlink()
    with pytest.raises(DataError, match=r"no testB_\*.bmp(.|\n)*Expected layout"):
        groups(tmp_path)


@pytest.mark.parametrize("gone", ["train_2.bmp", "train_2_anno.bmp"])
def test_image_or_annotation_missing(tmp_path, gone):
    (write_copy(tmp_path, PATIENTS) / gone).unlink()
    with pytest.raises(DataError, match=rf"{gone} is missing(.|\n)*Expected layout"):
        groups(tmp_path)


def test_grades_and_images_belong_together(tmp_path):
    folder = write_copy(tmp_path, PATIENTS)
    write_grades(folder, {name: patient for name, patient in PATIENTS.items() if name != "train_2"})
    with pytest.raises(DataError, match=r"no train_2 in Grade\.csv"):
        groups(tmp_path)
    write_grades(folder, PATIENTS | {"train_5": "1"})
    with pytest.raises(DataError, match=r"no train_5\.bmp"):
        groups(tmp_path)
    (folder / "Grade.csv").write_text(HEADER.replace("patient ID", "patient") + "\ntrain_1,1, benign, healthy\n")
    with pytest.raises(DataError, match=r"Grade\.csv: no column 'patient ID'"):
        groups(tmp_path)
    (folder / "Grade.csv").write_text(HEADER + "\ntrain_1,1\n")
    with pytest.raises(DataError, match=r"line 'train_1,1' is incomplete"):
        groups(tmp_path)
    (folder / "Grade.csv").write_text("")
    with pytest.raises(DataError, match="no column 'name'"):
        groups(tmp_path)
    (folder / "Grade.csv").unlink()
    with pytest.raises(DataError, match=r"no .*Grade\.csv(.|\n)*Expected layout"):
        groups(tmp_path)


def test_sizes_that_differ(tmp_path):
    folder = write_copy(tmp_path, PATIENTS)
    Image.fromarray(np.zeros((5, 9), np.uint8)).save(folder / "train_1_anno.bmp")
    with pytest.raises(DataError, match=r"train_1_anno\.bmp: \(5, 9\), but train_1\.bmp is \(6, 9\)"):
        groups(tmp_path)


def test_a_patient_that_changed_in_the_table_is_noticed(tmp_path):
    folder = write_copy(tmp_path / "raw", PATIENTS, size=(40, 60))
    command = ["glas", "--source", str(tmp_path / "raw"), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert main(command) == 0
    write_grades(folder, PATIENTS | {"train_100": "other"})
    with pytest.raises(DataError, match=r"train_100\.h5 exists, but was made with patient '.*' \(now 'other'\)"):
        main(command)

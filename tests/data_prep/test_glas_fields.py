import argparse
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from data_prep.cli import main
from data_prep.datasets import glas, glas_fields
from data_prep.plan import Group
from tests.data_prep.glas_copy import tiles_of_fields, write_copy, write_grades
from zoo.data import PatchDataModule, WholeImages
from zoo.errors import DataError
from zoo.store.reader import Store

SINGLES = {"train_100": "13"}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    root = tmp_path_factory.mktemp("glas")
    write_copy(root, tiles_of_fields() | SINGLES)
    return root


@pytest.fixture
def copy(tmp_path):
    return write_copy(tmp_path, tiles_of_fields() | SINGLES)


def groups(source, magnification: int = 10) -> dict[str, Group]:
    shards = glas_fields.plan(source, argparse.Namespace(magnification=magnification)).shards
    return {shard.stem: next(iter(shard.read())) for shard in shards}


def test_parts_and_splits(source):
    made = groups(source)
    assert len(made) == 37
    assert all(stem == f"{group.attributes['part']}-{group.name}" for stem, group in made.items())
    assert Counter((group.attributes["part"], group.split) for group in made.values()) == {
        ("guide", "train"): 9, ("guide", "val"): 4, ("refine", "train"): 10, ("refine", "val"): 3, ("test", "test"): 11,
    }  # fmt: skip
    patients: dict[tuple[str, str], set[str]] = {}
    for group in made.values():
        patients.setdefault((group.attributes["part"], group.split), set()).add(group.patient)
    assert patients == {
        ("guide", "train"): {"2", "9"}, ("guide", "val"): {"1"},
        ("refine", "train"): {"6", "10", "11"}, ("refine", "val"): {"3"}, ("test", "test"): {"4", "5", "7"},
    }  # fmt: skip
    group = made["test-field_00"]
    assert group.attributes | {"glands": 0} == {
        "part": "test", "grade": "malignant", "grade_2015": "poorly differentiated", "glands": 0,
        "tiles": "testA_9 testA_60 testA_1 testA_46",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("magnification", "mpp", "size"), [(20, 0.62, (12, 18)), (10, 1.24, (6, 9)), (5, 2.48, (3, 4))]
)
def test_pixels(source, magnification, mpp, size):
    group = groups(source, magnification)["test-field_00"]
    assert (group.mpp, group.magnification) == (mpp, magnification)
    (patch,) = group.patches
    assert patch.image.shape[:2] == patch.label.shape == size
    assert patch.label.dtype == np.uint8
    folder, step = source / glas.FOLDER, 20 // magnification
    image, label = np.zeros((12, 18, 3)), np.zeros((12, 18))
    for number, name in enumerate(("testA_9", "testA_60", "testA_1", "testA_46")):
        place = np.s_[number // 2 * 6 :, number % 2 * 9 :]
        image[place][:6, :9] = np.asarray(Image.open(folder / f"{name}.bmp"))
        label[place][:6, :9] = np.asarray(Image.open(folder / f"{name}_anno.bmp")) > 0
    for r, c in np.ndindex(size):
        block = np.s_[r * step : (r + 1) * step, c * step : (c + 1) * step]
        assert np.abs(patch.image[r, c] - image[block].mean(axis=(0, 1))).max() <= 0.5
        assert patch.label[r, c] == (label[block].mean() >= 0.5)


def test_stores_load(copy, tmp_path):
    out = tmp_path / "out"
    arguments = ["glas_fields", "--source", str(tmp_path), "--out", str(out), "--workers", "1", "--magnification", "20"]
    assert main(arguments) == 0
    store = Store(out / "guide-field_30.h5")
    assert (store.info.dataset, store.info.split_unit) == ("GlaS fields (20x)", "patient")
    assert store.info.labels == "region"
    counts = {"guide": (9, 4, 11), "refine": (10, 3, 11), "": (19, 7, 11)}
    for part, expected in counts.items():
        data = PatchDataModule([str(out / f"{part}*.h5"), str(out / "test-*.h5")], train=WholeImages, batch_size=1)
        data.setup("fit")
        data.setup("test")
        assert tuple(len(data.datasets[split]) for split in ("train", "val", "test")) == expected


def test_a_gland_over_a_seam_is_counted_once(copy):
    for name in ("testA_9", "testA_60", "testA_1", "testA_46"):
        Image.fromarray(np.full((6, 9), 3, np.uint8)).save(copy / f"{name}_anno.bmp")
    assert groups(copy)["test-field_00"].attributes["glands"] == 1
    Image.fromarray(np.zeros((6, 9), np.uint8)).save(copy / "testA_60_anno.bmp")
    Image.fromarray(np.zeros((6, 9), np.uint8)).save(copy / "testA_1_anno.bmp")
    assert groups(copy)["test-field_00"].attributes["glands"] == 2


def test_wrong_sources_are_named(copy):
    Image.fromarray(np.zeros((5, 9), np.uint8)).save(copy / "testA_46_anno.bmp")
    with pytest.raises(DataError, match=r"testA_46_anno\.bmp: \(5, 9\)"):
        groups(copy)
    Image.fromarray(np.zeros((5, 9, 3), np.uint8)).save(copy / "testA_46.bmp")
    with pytest.raises(DataError, match=r"field_00 \(testA_9, .*testA_46\) differ in size: \[\(5, 9\), \(6, 9\)\]"):
        groups(copy)
    write_grades(copy, tiles_of_fields() | SINGLES | {"testA_9": "2"})
    with pytest.raises(DataError, match=r"testA_9 is of patient '2' in Grade\.csv, but field_00 is of patient '4'"):
        groups(copy)
    patients = tiles_of_fields() | SINGLES
    del patients["testA_9"]
    write_grades(copy, patients)
    (copy / "testA_9.bmp").unlink()
    (copy / "testA_9_anno.bmp").unlink()
    with pytest.raises(DataError, match=r"no testA_9\.bmp, a tile of field_00"):
        groups(copy)
    (copy / "Grade.csv").unlink()
    with pytest.raises(DataError, match=r"no .*Grade\.csv(.|\n)*Expected layout"):
        groups(copy)

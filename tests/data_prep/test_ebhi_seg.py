import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.cli import main
from data_prep.datasets.ebhi_seg import case_of
from tests.data_prep.plans import groups, plan
from zoo.errors import DataError
from zoo.store.reader import Store

# Diagnosis, file and case: two files of one name, and one case in two diagnoses under both of its spellings.
IMAGES = (
    ("High-grade IN", "GT2012436-1-400-006", "GT2012436"),
    ("Normal", "GT2012436-1-400-006", "GT2012436"),
    ("Polyp", "GTDC2102188-3-400-002", "GTDC2102188"),
    ("Polyp", "GTXC2012521-1-400-001", "XC2012521"),
    ("Serrated adenoma", "GTxc2012521-2-400-001", "XC2012521"),
)
NAMES = [f"{diagnosis.replace(' ', '-')}__{stem}" for diagnosis, stem, _ in IMAGES]

MASK = np.zeros((40, 30), np.uint8)
MASK[1:11, 1:11] = 255  # 100 px
MASK[11:21, 11:21] = 255  # another 100, which touch at a corner
MASK[30:39, 1:12] = 255  # 99


def picture(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (40, 30, 3), np.uint8)


def publishers(source: Path) -> Path:
    for number, (diagnosis, stem, _) in enumerate(IMAGES):
        for folder, pixels in (("image", picture(number)), ("label", MASK)):
            (source / diagnosis / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(source / diagnosis / folder / f"{stem}.png")
    return source


def indexed(source: Path, split: str = "train") -> Path:
    (source / "images").mkdir(parents=True)
    (source / "labels").mkdir()
    rows = []
    for number, (name, (diagnosis, _, case)) in enumerate(zip(NAMES, IMAGES, strict=True)):
        Image.fromarray(picture(number)).save(source / "images" / f"{name}.webp", lossless=True)
        Image.fromarray(MASK).save(source / "labels" / f"{name}.png")
        rows.append({"name": name, "class": diagnosis, "case": case, "instances": "2", "split": split})
    with (source / "index.tsv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0], delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    return source


@pytest.mark.parametrize("make", [publishers, indexed])
def test_both_layouts_make_the_same(tmp_path, make):
    found = groups("ebhi_seg", make(tmp_path / "raw"))
    assert list(found) == NAMES
    for number, (group, (diagnosis, _, case)) in enumerate(zip(found.values(), IMAGES, strict=True)):
        (patch,) = group.patches
        np.testing.assert_array_equal(patch.image, picture(number))
        np.testing.assert_array_equal(patch.label, MASK > 0)
        assert (group.patient, group.attributes, group.mpp) == (case, {"diagnosis": diagnosis}, None)
    made = plan("ebhi_seg", tmp_path / "raw")
    assert (made.labels, made.split_unit, made.licence) == ("region", "patient", "EBHI-Seg (to be confirmed)")


def test_instances_are_large_pieces_that_touch_by_a_side(tmp_path):
    made = plan("ebhi_seg", publishers(tmp_path), "--labels", "instances")
    assert made.labels == "instances"
    ((group,), *_) = (shard.read() for shard in made.shards)
    (patch,) = group.patches
    expected = np.zeros(MASK.shape, int)
    expected[1:11, 1:11], expected[11:21, 11:21] = 1, 2
    np.testing.assert_array_equal(patch.label, expected)


@pytest.mark.parametrize("make", [publishers, indexed])
def test_a_case_is_in_one_split(tmp_path, make):
    make(tmp_path / "raw")
    seen = set()
    for share in ("0", "0.3", "0.6", "1"):
        splits: dict[str, set[str]] = {}
        for group in groups("ebhi_seg", tmp_path / "raw", "--val-fraction", share).values():
            splits.setdefault(group.patient, set()).add(group.split)
        assert {len(each) for each in splits.values()} == {1}
        seen.add(tuple(sorted(split for each in splits.values() for split in each)))
    assert {("train",) * 3, ("val",) * 3} < seen  # nobody, everybody, and something between


def test_what_an_index_calls_a_test_stays_one(tmp_path):
    found = groups("ebhi_seg", indexed(tmp_path / "raw", "test"), "--val-fraction", "1")
    assert {group.split for group in found.values()} == {"test"}


@pytest.mark.parametrize(
    ("stem", "case"),
    [
        ("GT2012149-1-400-001", "GT2012149"),
        ("GTxc2012521-2-400-001", "XC2012521"),
        ("gt2000000-1-400-1", "GT2000000"),
    ],
)
def test_cases_in_names(stem, case):
    assert case_of(stem) == case


def test_what_is_wrong_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no folder 'image'(.|\n)*Expected layout:"):
        plan("ebhi_seg", tmp_path)
    publishers(tmp_path)
    label = tmp_path / "Normal" / "label" / f"{IMAGES[1][1]}.png"
    Image.fromarray(MASK // 255).save(label)
    with pytest.raises(DataError, match=rf"{label.name}: values up to 1, but 255 is inside"):
        groups("ebhi_seg", tmp_path)
    label.unlink()
    with pytest.raises(DataError, match=r"Normal/image/GT2012436-1-400-006\.png has no"):
        plan("ebhi_seg", tmp_path)


def test_an_index_that_does_not_fit_is_named(tmp_path):
    index = indexed(tmp_path / "raw") / "index.tsv"
    text = index.read_text()
    for old, new, message in (
        ("\ttrain", "\tschool", "the split 'school' of High-grade-IN__GT2012436-1-400-006 is none of"),
        ("XC2012521\t", "\t", "no 'case' in every line"),
        (NAMES[1], "another", "Normal__GT2012436-1-400-006 has no line"),
        (NAMES[1], "A", "A has no image"),
        ("class", "diagnosis", "no 'class' in every line"),
    ):
        index.write_text(text.replace(old, new))
        with pytest.raises(DataError, match=rf"index\.tsv: {message}"):
            plan("ebhi_seg", tmp_path / "raw")


def test_the_command_writes_regions(tmp_path):
    source = indexed(tmp_path / "raw")
    assert main(["ebhi_seg", "--source", str(source), "--out", str(tmp_path / "out")]) == 0
    assert sorted(path.stem for path in (tmp_path / "out").glob("*.h5")) == sorted(NAMES)
    label = Store(tmp_path / "out" / f"{NAMES[0]}.h5").label(NAMES[0], 0)
    np.testing.assert_array_equal(label, MASK > 0)


def test_what_the_index_says_is_part_of_what_is_up_to_date(tmp_path, capsys):
    command = ["ebhi_seg", "--source", str(indexed(tmp_path / "raw")), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert main(command) == 0
    assert main(command) == 0
    assert "5 up to date" in capsys.readouterr().err
    index = tmp_path / "raw" / "index.tsv"
    index.write_text(index.read_text().replace("Normal\tGT2012436", "Polyp\tGT7"))
    with pytest.raises(DataError, match=r"1 of 5 failed") as caught:
        main(command)
    assert "patient 'GT2012436' (now 'GT7')" in str(caught.value)
    assert "diagnosis 'Normal' (now 'Polyp')" in str(caught.value)

"""CRAG, CPM-15, CPM-17, CoNSeP and Kumar: tiny copies with the publishers' file names and encodings."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.io import savemat

from data_prep.plan import Group
from tests.data_prep.plans import groups, plan
from zoo.errors import DataError
from zoo.store.reader import Store
from zoo.store.writer import StoreWriter

HEIGHT, WIDTH = 14, 9
IDS = [3, 70, 255, 256, 1000]
TRAIN_TCGA = ("TCGA-A7-A13E-01Z-00-DX1", "TCGA-AR-A1AS-01Z-00-DX1")
FOLDERS = {
    "crag": {"train": ("train_1", "train_2"), "valid": ("test_1",)},
    "cpm17": {"train": ("image_00", "image_01"), "test": ("image_00",)},
    "consep": {"Train": ("train_1", "train_2"), "Test": ("test_1",)},
    "kumar": {
        "train": (*TRAIN_TCGA, "TCGA-E2-A14V-01Z-00-DX1"),
        "test_same": ("TCGA-49-4488-01Z-00-DX1",),
        "test_diff": ("TCGA-G2-A2EK-01A-02-TSB",),
    },
}
BY_FOLDERS = list(FOLDERS)


def objects(highest: int = 1000, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Ids with gaps, in a map that is neither square nor symmetric; one object reaches the corner."""
    ids = np.zeros((height, width), int)
    for number, start in zip(IDS, range(0, HEIGHT, 3), strict=True):
        if number <= highest:
            ids[start : start + 2, start // 2 : start // 2 + 4] = number
    ids[-1, -1] = 3
    return ids


def write_image(path: Path, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(len(path.stem)).integers(0, 256, (height, width, 3), np.uint8)
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels, photometric="rgb")
    else:
        Image.fromarray(pixels).save(path)
    return pixels


def write_labels(path: Path, ids: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".txt":
        path.write_text("\n".join([f"{ids.shape[1]} {ids.shape[0]}", *(str(i) for row in ids for i in row), ""]))
    elif path.suffix == ".mat":
        kinds = np.arange(1, len(np.unique(ids)), dtype=float)[:, None]
        further = {"inst_type": kinds} if path.stem.startswith("t") else {}  # only CoNSeP has types
        savemat(path, {"inst_map": ids.astype(float), **further}, do_compression=True)
    else:
        Image.fromarray(ids.astype(np.uint8)).save(path)


def files_of(name: str, source: Path, folder: str, stem: str) -> tuple[Path, Path]:
    labels, ending = ("Annotation", "png") if name == "crag" else ("Labels", "mat")
    image = source / folder / "Images" / f"{stem}.{'tif' if name == 'kumar' else 'png'}"
    return image, source / folder / labels / f"{stem}.{ending}"


def make(name: str, source: Path) -> tuple[Path, Path]:
    """A small copy of a data set; returns the files of its first pair."""
    if name == "cpm15":
        for number in range(1, 16):
            height = HEIGHT + number
            write_image(source / f"image{number:02}.png", height)
            write_image(source / f"image{number:02}_poly.png", height)
            write_labels(source / f"image{number:02}_mask.txt", objects(height=height) + number * (number > 10))
        return source / "image01.png", source / "image01_mask.txt"
    for folder, stems in FOLDERS[name].items():
        for stem in stems:
            image, label = files_of(name, source, folder, stem)
            write_image(image)
            write_labels(label, objects(255 if name == "crag" else 1000))
            write_image(source / folder / "Overlay" / f"{stem}.png")
    return files_of(name, source, *next((folder, stems[0]) for folder, stems in FOLDERS[name].items()))


def splits(made: dict[str, Group]) -> dict[str, str]:
    return {stem: group.split for stem, group in made.items()}


def labels_of(group: Group) -> np.ndarray:
    (patch,) = group.patches
    assert patch.label.dtype == np.int32
    return patch.label


@pytest.mark.parametrize("name", [*BY_FOLDERS, "cpm15"])
def test_pixels_and_ids_are_kept(name, tmp_path):
    image, _ = make(name, tmp_path)
    group = next(group for stem, group in groups(name, tmp_path).items() if stem.endswith(image.stem))
    height = HEIGHT + 1 if name == "cpm15" else HEIGHT
    np.testing.assert_array_equal(labels_of(group), objects(255 if name == "crag" else 1000, height))
    (patch,) = group.patches
    np.testing.assert_array_equal(patch.image, write_image(image, height))


@pytest.mark.parametrize("name", [*BY_FOLDERS, "cpm15"])
def test_stores_hold_the_ids_and_attributes(name, tmp_path):
    make(name, tmp_path)
    made = plan(name, tmp_path)
    stem, (group,) = made.shards[0].stem, made.shards[0].read()
    info = {"dataset": made.dataset, "licence": made.licence, "citation": made.citation, "source_checksum": "0"}
    with StoreWriter(tmp_path / "a.h5", **info, split_unit=made.split_unit, labels=made.labels) as writer:
        about = {"slide": group.slide, "patient": group.patient, "split": group.split, "mpp": group.mpp}
        stack = writer.open_group(stem, **about, magnification=group.magnification, **group.attributes)
        for patch in group.patches:
            stack.append(patch.image, patch.label)
    store = Store(tmp_path / "a.h5")
    np.testing.assert_array_equal(store.label(stem, 0), labels_of(group))
    assert sorted(store.objects(stem)["id"]) == (IDS[:3] if name == "crag" else IDS)
    assert store.groups[0].attributes == group.attributes


def test_crag(tmp_path):
    make("crag", tmp_path)
    made = groups("crag", tmp_path)
    assert splits(made) == {"train_1": "train", "train_2": "train", "test_1": "test"}
    assert {(group.mpp, group.magnification) for group in made.values()} == {(None, 20)}
    assert (plan("crag", tmp_path).licence, plan("crag", tmp_path).split_unit) == ("unknown", "field")


def test_cpm17_counts_from_0_in_both_splits(tmp_path):
    make("cpm17", tmp_path)
    made = groups("cpm17", tmp_path)
    assert splits(made) == {"train-image_00": "train", "train-image_01": "train", "test-image_00": "test"}
    assert len({group.patient for group in made.values()}) == 3
    assert plan("cpm17", tmp_path).split_unit == "field"


def test_consep_keeps_types_by_id(tmp_path):
    _, label = make("consep", tmp_path)
    made = groups("consep", tmp_path)
    assert splits(made) == {"train_1": "train", "train_2": "train", "test_1": "test"}
    assert (made["test_1"].mpp, made["test_1"].magnification) == (0.25, 40)
    types = json.loads(made["train_1"].attributes["object_types"])
    assert types == {"3": 1, "70": 2, "255": 3, "256": 4, "1000": 5}
    savemat(label, {"inst_map": objects(), "inst_type": np.ones((2, 1))})
    with pytest.warns(UserWarning, match=r"train_1\.mat: 2 types for 5 objects"):
        assert groups("consep", tmp_path)["train_1"].attributes == {}
    savemat(label, {"inst_map": objects()})
    with pytest.raises(DataError, match=r"train_1\.mat: holds no 'inst_type'"):
        groups("consep", tmp_path)


def test_kumar_splits_by_folder_or_by_patient(tmp_path):
    make("kumar", tmp_path)
    made = groups("kumar", tmp_path)
    assert {group.patient: group.split for group in made.values()} == {
        "TCGA-A7-A13E": "train",
        "TCGA-AR-A1AS": "val",
        "TCGA-E2-A14V": "train",
        "TCGA-49-4488": "test",
        "TCGA-G2-A2EK": "test",
    }
    group = made["TCGA-49-4488-01Z-00-DX1"]
    assert (group.mpp, group.magnification, group.attributes) == (0.25, 40, {"organ": "liver"})
    made = groups("kumar", tmp_path, "--split", "kumar")
    assert {group.patient: group.split for group in made.values()} == {
        "TCGA-A7-A13E": "train",
        "TCGA-AR-A1AS": "val",
        "TCGA-E2-A14V": "test",
        "TCGA-49-4488": "train",
        "TCGA-G2-A2EK": "test",
    }
    assert plan("kumar", tmp_path).split_unit == "patient"
    assert plan("kumar", tmp_path).dataset == "Kumar (hovernet split)"


def test_cpm15(tmp_path, capsys):
    make("cpm15", tmp_path)
    made = groups("cpm15", tmp_path)
    assert list(made) == [f"image{number:02}" for number in range(1, 16)]
    assert [group.magnification for group in made.values()] == [20] * 7 + [40] * 8
    assert set(splits(made).values()) == {"train"}
    assert set(splits(groups("cpm15", tmp_path, "--split", "test")).values()) == {"test"}
    assert "swapped" not in capsys.readouterr().err


def test_cpm15_finds_swapped_masks_by_size(tmp_path, capsys):
    make("cpm15", tmp_path)
    straight = {name: labels_of(group) for name, group in groups("cpm15", tmp_path).items()}
    four, five, other = (tmp_path / f"image{number}_mask.txt" for number in ("04", "05", "other"))
    for source, target in ((four, other), (five, four), (other, five)):
        source.rename(target)
    made = groups("cpm15", tmp_path)
    assert (
        "image04.png is paired with image05_mask.txt and image05.png with image04_mask.txt" in capsys.readouterr().err
    )
    for name, group in made.items():
        np.testing.assert_array_equal(labels_of(group), straight[name])
    names = [path.name for path in plan("cpm15", tmp_path).shards[3].files]
    assert names == ["image04.png", "image05_mask.txt"]


def test_cpm15_sizes_that_no_swap_explains_are_errors(tmp_path, capsys):
    make("cpm15", tmp_path)
    write_labels(tmp_path / "image04_mask.txt", objects(height=HEIGHT + 9))
    with pytest.raises(DataError, match=r"image04_mask\.txt: 9 x 23 pixels, but image04\.png has 9 x 18"):
        groups("cpm15", tmp_path)
    assert "swapped" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3 2\n0\n0\n1\n1\n0\n", "5 ids for 3 x 2 pixels"),
        ("3 2\n0\n0\n1\n1\n0\n0\n0\n", "7 ids for 3 x 2 pixels"),
        ("3 2", "0 ids for 3 x 2 pixels"),
        ("", "first line must be the width and the height"),
        ("3\n2\n0\n", "first line must be the width and the height"),
        ("0 2\n", "first line must be the width and the height"),
        ("3 2\n0\n0\nx\n1\n0\n0\n", "holds something that is no id"),
        ("3 2\n0\n0\n-1\n1\n0\n0\n", "ids from -1 to 1"),
        ("3 2\n0\n0\n3000000000\n1\n0\n0\n", "Ids are 0 to 2147483647"),
    ],
)
def test_cpm15_masks_that_are_wrong(text, message, tmp_path):
    make("cpm15", tmp_path)
    (tmp_path / "image01_mask.txt").write_text(text)
    with pytest.raises(DataError, match=rf"image01_mask\.txt(.|\n)*{message}"):
        groups("cpm15", tmp_path)


def test_cpm15_mask_as_in_the_publishers_example(tmp_path):
    make("cpm15", tmp_path)
    write_image(tmp_path / "image01.png", 4, 5)
    ids = "00000 01100 11200 02220".replace(" ", "")
    (tmp_path / "image01_mask.txt").write_text("5 4\r\n" + "\r\n".join(ids) + "\r\n")
    expected = [[0, 0, 0, 0, 0], [0, 1, 1, 0, 0], [1, 1, 2, 0, 0], [0, 2, 2, 2, 0]]
    np.testing.assert_array_equal(labels_of(groups("cpm15", tmp_path)["image01"]), expected)


@pytest.mark.parametrize("name", [*BY_FOLDERS, "cpm15"])
def test_files_that_are_alone_missing_or_of_other_sizes_are_named(name, tmp_path):
    with pytest.raises(DataError, match=r"no \S+\.(png|tif)\. Expected layout:"):
        plan(name, tmp_path)
    image, label = make(name, tmp_path)
    write_labels(label, objects(100)[:-1])
    with pytest.raises(DataError, match=rf"{label.name}: 9 x 13 pixels, but {image.name} has 9 x 1[45]"):
        groups(name, tmp_path)
    label.unlink()
    with pytest.raises(DataError, match=rf"{image.name} has no \S*{label.name} (.|\n)*Expected layout:"):
        plan(name, tmp_path)
    write_labels(label, objects(100))
    image.unlink()
    with pytest.raises(DataError, match=rf"{label.name} has no \S*{image.name} (.|\n)*Expected layout:"):
        plan(name, tmp_path)


@pytest.mark.filterwarnings("ignore:Truncated File Read")
@pytest.mark.parametrize("name", [*BY_FOLDERS, "cpm15"])
@pytest.mark.parametrize("part", [0, 1])
def test_truncated_files_are_named(name, part, tmp_path):
    path = make(name, tmp_path)[part]
    whole = path.read_bytes()
    for size in (0, 60, len(whole) // 2, len(whole) - 2):
        path.write_bytes(whole[:size])
        if path.suffix == ".png" and size == len(whole) - 2:
            continue  # only the check sum of PNG's end mark is cut: all pixels are there
        with pytest.raises(DataError, match=path.name):
            groups(name, tmp_path)


def test_mat_files_of_another_kind_are_named(tmp_path):
    _, label = make("cpm17", tmp_path)
    savemat(label, {"inst_centroid": np.zeros((3, 2))})
    with pytest.raises(DataError, match=r"image_00\.mat: holds no 'inst_map'"):
        groups("cpm17", tmp_path)
    savemat(label, {"inst_map": np.full((HEIGHT, WIDTH), 0.5)})
    with pytest.raises(DataError, match=r"image_00\.mat: holds fractions"):
        groups("cpm17", tmp_path)
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    label.write_bytes(header.ljust(512, b"\0") + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(DataError, match=r"image_00\.mat: a MATLAB 7\.3 file"):
        groups("cpm17", tmp_path)

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis.extra import numpy as arrays
from PIL import Image

from data_prep.cli import main
from data_prep.datasets.folder import from_mask
from tests.data_prep.slow_pieces import pieces
from zoo.errors import DataError
from zoo.store.reader import Store

RNG = np.random.default_rng(0)


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, array)
    else:
        Image.fromarray(array).save(path)


def picture(shape: tuple[int, ...] = (20, 30, 3)) -> np.ndarray:
    return RNG.integers(0, 256, shape, np.uint8)


def prepare(source: Path, out: Path, *more: str) -> dict[str, Store]:
    assert main(["folder", "--source", str(source), "--out", str(out), *more]) == 0
    return {path.stem: Store(path) for path in sorted(out.glob("*.h5"))}


def test_kinds_of_files(tmp_path):
    rgb, ids = picture(), RNG.integers(0, 60_000, (20, 30))
    root = tmp_path / "raw"
    save(root / "images/a.png", rgb)
    save(root / "labels/a.tif", ids.astype(np.uint16))
    save(root / "images/b.tif", picture((20, 30, 4)))
    save(root / "labels/b.npy", ids.astype(np.int64))
    save(root / "images/c.png", rgb[..., 0])
    palette = Image.fromarray((ids % 3).astype(np.uint8)).convert("P")
    palette.putpalette([9, 9, 9, 200, 0, 0, 0, 200, 0])
    palette.save(root / "labels/c.png")
    stores = prepare(root, tmp_path / "out", "--mpp", "0.5", "--dataset", "Mine", "--licence", "CC0 1.0")
    assert list(stores) == ["a", "b", "c"]
    np.testing.assert_array_equal(stores["a"].image("a", 0), rgb)
    np.testing.assert_array_equal(stores["a"].label("a", 0), ids)
    np.testing.assert_array_equal(stores["b"].label("b", 0), ids)
    np.testing.assert_array_equal(stores["c"].image("c", 0), np.repeat(rgb[..., :1], 3, axis=2))
    np.testing.assert_array_equal(stores["c"].label("c", 0), ids % 3)
    (group,) = stores["a"].groups
    assert (group.patient, group.split, group.mpp) == ("a", "train", 0.5)
    assert (stores["a"].info.dataset, stores["a"].info.licence) == ("Mine", "CC0 1.0")


def test_splits_patients_and_regions(tmp_path):
    root = tmp_path / "raw"
    for split, stem in (("train", "anna_1"), ("train", "anna_2"), ("test", "bert_1")):
        save(root / split / "images" / f"{stem}.png", picture())
        save(root / split / "labels" / f"{stem}.png", np.full((20, 30), 255, np.uint8))
    stores = prepare(root, tmp_path / "out", "--patient-regex", r"^(\w+)_", "--labels", "region", "--no-binary")
    groups = {name: store.groups[0] for name, store in stores.items()}
    assert {name: (group.patient, group.split) for name, group in groups.items()} == {
        "train-anna_1": ("anna", "train"),
        "train-anna_2": ("anna", "train"),
        "test-bert_1": ("bert", "test"),
    }
    assert stores["test-bert_1"].info.labels == "region"
    assert len(stores["test-bert_1"].objects("bert_1")) == 0


def mask() -> np.ndarray:
    """0 and 255: a square with a corner that touches another square, and one apart."""
    array = np.zeros((20, 30), np.uint8)
    array[2:5, 2:5] = array[5:8, 5:8] = array[10:15, 20:28] = 255
    return array


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.npy"])
def test_masks(tmp_path, name):
    root = tmp_path / "raw"
    save(root / "images/a.png", picture())
    save(root / "labels" / name, mask())
    pieces = prepare(root, tmp_path / "pieces", "--binary")["a"]
    expected = np.zeros((20, 30), int)
    expected[2:5, 2:5] = expected[5:8, 5:8] = 1
    expected[10:15, 20:28] = 2
    np.testing.assert_array_equal(pieces.label("a", 0), expected)
    assert pieces.info.labels == "instances"
    region = prepare(root, tmp_path / "region", "--binary", "--labels", "region")["a"]
    np.testing.assert_array_equal(region.label("a", 0), mask() > 0)
    assert region.info.labels == "region"
    assert [tuple(row)[1:] for row in region.objects("a")] == [(1, 2, 2, 28, 15, 58)]


@pytest.mark.parametrize("inside", [True, 1, 200])
def test_masks_have_any_one_value_inside(tmp_path, inside):
    root = tmp_path / "raw"
    save(root / "images/a.png", picture())
    save(root / "labels/a.npy", (mask() > 0) * np.array(inside))
    assert prepare(root, tmp_path / "out", "--binary")["a"].label("a", 0).max() == 2


@pytest.mark.parametrize("labels", ["instances", "region"])
@pytest.mark.parametrize("array", [mask(), np.full((20, 30), 255, np.uint8)])
def test_masks_are_not_taken_for_something_else(tmp_path, labels, array):
    root = tmp_path / "raw"
    save(root / "images/a.png", picture())
    save(root / "labels/a.png", array)
    with pytest.raises(DataError, match=r"a\.png: holds no values but 0 and 255; give --binary if it is a mask"):
        prepare(root, tmp_path / "out", "--labels", labels)
    label = prepare(root, tmp_path / "out", "--labels", labels, "--no-binary")["a"].label("a", 0)
    np.testing.assert_array_equal(label, array)


def test_ids_are_not_taken_for_a_mask(tmp_path):
    root = tmp_path / "raw"
    save(root / "images/a.png", picture())
    save(root / "labels/a.png", np.repeat(np.arange(20, dtype=np.uint8)[:, None], 30, axis=1))
    with pytest.raises(DataError, match=r"a\.png: holds 19 values besides 0 \(1 to 19\), so it is no mask"):
        prepare(root, tmp_path / "out", "--binary")


@given(arrays.arrays(np.bool_, (9, 11)))
def test_pieces_against_a_slow_reference(inside):
    """Two pixels that touch, even at a corner, are in one object; ids have no gaps, objects no second piece."""
    label = from_mask(inside * np.int32(255), "instances", Path("a.png"))
    np.testing.assert_array_equal(label > 0, inside)
    expected = pieces(zip(*np.nonzero(inside), strict=True))
    assert {frozenset(zip(*np.nonzero(label == value), strict=True)) for value in range(1, label.max() + 1)} == expected
    np.testing.assert_array_equal(from_mask(inside * np.int32(255), "region", Path("a.png")), inside)


def test_mistakes_are_named(tmp_path):
    root, out = tmp_path / "raw", tmp_path / "out"
    root.mkdir()
    with pytest.raises(DataError, match=r"no images in(.|\n)*labels/NAME\.png"):
        prepare(root, out)
    save(root / "images/a.png", picture())
    with pytest.raises(DataError, match=r"'a' .* not in both"):
        prepare(root, out)
    save(root / "labels/a.png", np.zeros((20, 31), np.uint8))
    with pytest.raises(DataError, match=r"a\.png: \(20, 31\), but a\.png is \(20, 30\)"):
        prepare(root, out)
    save(root / "labels/a.png", picture())
    with pytest.raises(DataError, match="not a label image"):
        prepare(root, out)
    (root / "labels/a.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="read as a label image"):
        prepare(root, out)
    assert list(out.glob("*")) == []
    save(root / "labels/a.png", np.zeros((20, 30), np.uint8))
    with pytest.raises(DataError, match="finds no patient in 'a'"):
        prepare(root, out, "--patient-regex", "^(x)")
    with pytest.raises(DataError, match="one with a group"):
        prepare(root, out, "--patient-regex", "^a")
    save(root / "labels/a.tif", np.zeros((20, 30), np.uint8))
    with pytest.raises(DataError, match="have one name"):
        prepare(root, out)


def test_existing_stores_stay_unless_forced(tmp_path):
    root, out = tmp_path / "raw", tmp_path / "out"
    save(root / "images/a.png", picture())
    save(root / "labels/a.png", np.zeros((20, 30), np.uint8))
    before = prepare(root, out)["a"].checksum()
    save(root / "images/a.png", picture())
    with pytest.raises(DataError, match="made from other files; --force"):
        prepare(root, out)
    assert Store(out / "a.h5").checksum() == before
    assert prepare(root, out, "--force")["a"].checksum() != before


def test_files_of_the_system_are_no_inputs(tmp_path):
    root = tmp_path / "raw"
    save(root / "images/a.png", picture())
    save(root / "labels/a.png", np.zeros((20, 30), np.uint8))
    for name in ("images/._a.png", "labels/._a.png", "images/._b.png", "labels/.DS_Store"):
        (root / name).write_bytes(b"\0\5\x16\7Mac OS X")
    stores = prepare(root, tmp_path / "out")
    assert list(stores) == ["a"]


def test_names_pair_however_a_letter_is_written(tmp_path):
    root = tmp_path / "raw"
    composed, decomposed = "Bj\u00f6rn_1", "Bjo\u0308rn_1"
    save(root / f"images/{decomposed}.png", picture())
    save(root / f"labels/{composed}.png", np.ones((20, 30), np.uint8))
    stores = prepare(root, tmp_path / "out", "--patient-regex", r"^(Bj\u00f6rn)_", "--no-binary")
    assert list(stores) == [composed]
    assert [(group.name, group.patient) for group in stores[composed].groups] == [(composed, "Bj\u00f6rn")]
    save(root / f"images/{composed}.png", picture())
    with pytest.raises(DataError, match="have one name"):
        prepare(root, tmp_path / "out")


def test_resolution_and_orientation_of_the_files(tmp_path, capsys):
    root = tmp_path / "raw"
    (root / "images").mkdir(parents=True)
    rgb = picture()
    description = "Aperio Image Library v11\r\n30x20|AppMag = 20|MPP = 0.4990"
    tags = [(274, "H", 1, 6, True)]
    tifffile.imwrite(
        root / "images/a.tif", rgb, photometric="rgb", description=description, metadata=None, extratags=tags
    )
    exif = Image.Exif()
    exif[274] = 6
    label = (rgb[..., 0] > 99).astype(np.uint8)
    (root / "labels").mkdir()
    Image.fromarray(label).save(root / "labels/a.png", exif=exif)
    store = prepare(root, tmp_path / "out")["a"]
    np.testing.assert_array_equal(store.image("a", 0), np.rot90(rgb, -1))
    np.testing.assert_array_equal(store.label("a", 0), np.rot90(label, -1))
    assert (store.groups[0].mpp, store.groups[0].magnification) == (0.499, 20)
    store = prepare(root, tmp_path / "other", "--mpp", "0.25", "--magnification", "40")["a"]
    assert (store.groups[0].mpp, store.groups[0].magnification) == (0.25, 40)


def test_channels_and_windows(tmp_path):
    root = tmp_path / "raw"
    deep = RNG.integers(0, 4096, (4, 20, 30), np.uint16)
    (root / "images").mkdir(parents=True)
    tifffile.imwrite(root / "images/a.tif", deep, photometric="minisblack")
    save(root / "labels/a.png", np.zeros((20, 30), np.uint8))
    with pytest.raises(DataError, match="--channels"):
        prepare(root, tmp_path / "out")
    store = prepare(root, tmp_path / "out", "--channels", "4,2,1", "--window", "0,4080")["a"]
    expected = np.minimum(np.rint(deep[[3, 1, 0]] / 16), 255)
    np.testing.assert_array_equal(store.image("a", 0), np.moveaxis(expected, 0, -1))


def test_an_image_that_was_moved_to_another_split_is_not_up_to_date(tmp_path, capsys):
    root = tmp_path / "raw"
    save(root / "train/images/a.png", picture())
    save(root / "train/labels/a.png", RNG.integers(0, 3, (20, 30), np.uint8))
    prepare(root, tmp_path / "out")
    prepare(root, tmp_path / "out")
    assert "1 up to date" in capsys.readouterr().err
    (root / "train").rename(root / "test")
    with pytest.raises(DataError, match=r"was made with split 'train' \(now 'test'\); --force replaces it"):
        prepare(root, tmp_path / "out")
    (store,) = prepare(root, tmp_path / "out", "--force").values()
    assert {group.split for group in store.groups} == {"test"}


def test_stores_of_an_earlier_preparation_are_told(tmp_path, capsys):
    """Files of a split that is another now lie in the folder twice: under the old name, too."""
    root, out = tmp_path / "raw", tmp_path / "out"
    for split in ("train", "val"):
        save(root / split / "images/a.png", picture())
        save(root / split / "labels/a.png", RNG.integers(0, 3, (20, 30), np.uint8))
    prepare(root, out)
    assert "preparation" not in capsys.readouterr().err
    (root / "val").rename(root / "test")
    assert list(prepare(root, out)) == ["test-a", "train-a", "val-a"]
    told = f"{out} also holds stores that are not of this preparation: val-a.h5; {out / '*.h5'} reads them too"
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--mpp", "--magnification"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf"])
def test_a_resolution_that_is_none(tmp_path, option, value, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["folder", "--source", str(tmp_path), "--out", str(tmp_path / "out"), f"{option}={value}"])
    assert stop.value.code == 2
    assert f"{option}: {value} is no number above 0" in capsys.readouterr().err

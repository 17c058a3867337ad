from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from data_prep.cli import main
from zoo.data.store import Store
from zoo.errors import DataError

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
    stores = prepare(root, tmp_path / "out", "--patient-regex", r"^(\w+)_", "--labels", "region")
    groups = {name: store.groups[0] for name, store in stores.items()}
    assert {name: (group.patient, group.split) for name, group in groups.items()} == {
        "train-anna_1": ("anna", "train"),
        "train-anna_2": ("anna", "train"),
        "test-bert_1": ("bert", "test"),
    }
    assert stores["test-bert_1"].info.labels == "region"
    assert len(stores["test-bert_1"].objects("bert_1")) == 0


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

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.cli import main
from data_prep.datasets import dsb2018
from zoo.errors import DataError
from zoo.store.reader import Store

VIOLET, WHITE, PINK = (180, 160, 215), (220, 218, 215), (230, 150, 190)


def add(root: Path, name: str, image: np.ndarray, masks: list[np.ndarray]) -> None:
    for folder in ("images", "masks"):
        (root / name / folder).mkdir(parents=True)
    alpha = np.full((*image.shape[:2], 1), 255, np.uint8)
    Image.fromarray(np.concatenate([image, alpha], axis=2)).save(root / name / "images" / f"{name}.png")
    for number, mask in enumerate(masks):
        Image.fromarray(mask.astype(np.uint8) * 255).save(root / name / "masks" / f"{number:03}.png")


def tissue(colour: tuple[int, int, int], seed: int, shape: tuple[int, int] = (48, 64)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    smooth = rng.normal(0, 1, (*shape, 3)).cumsum(axis=0).cumsum(axis=1)
    smooth *= 6 / np.abs(smooth).max()
    return np.clip(np.array(colour) + smooth, 0, 255).astype(np.uint8)


@pytest.fixture
def source(tmp_path) -> Path:
    root = tmp_path / "stage1_train"
    masks = [np.zeros((48, 64), bool) for _ in range(2)]
    masks[0][3:9, 4:9] = True
    masks[1][20:30, 40:60] = True
    field = tissue(VIOLET, 0, (48, 128))
    add(root, "a", field[:, :64], masks)
    add(root, "b", field[:, 64:], masks[:1])
    add(root, "c", tissue(VIOLET, 1), masks)
    add(root, "d", tissue(WHITE, 2), masks)
    add(root, "e", tissue(WHITE, 3), masks)
    add(root, "f", tissue(PINK, 4), masks)
    grey = np.repeat(tissue(WHITE, 5)[..., :1], 3, axis=2)
    add(root, "grey", grey, masks)
    return root


def prepare(source: Path, out: Path, *more: str) -> Store:
    assert main(["dsb2018", "--source", str(source), "--out", str(out), *more]) == 0
    return Store(out / "dsb2018.h5")


def test_splits_by_appearance(source, tmp_path):
    store = prepare(source, tmp_path / "out")
    groups = {group.name: group for group in store.groups}
    assert {name: group.split for name, group in groups.items()} == {
        **dict.fromkeys("abc", "train"),
        **dict.fromkeys("de", "test"),
        "f": "val",
    }
    assert groups["a"].slide == groups["b"].slide
    assert len({group.slide for group in groups.values()}) == 5
    assert {group.patient for group in groups.values()} == {"stain-0", "stain-1", "stain-2"}
    assert groups["a"].mpp is None
    assert store.info.licence == "CC0 1.0"


def test_images_and_masks(source, tmp_path):
    store = prepare(source, tmp_path / "out")
    np.testing.assert_array_equal(store.image("c", 0), tissue(VIOLET, 1))
    expected = np.zeros((48, 64), int)
    expected[3:9, 4:9] = 1
    expected[20:30, 40:60] = 2
    np.testing.assert_array_equal(store.label("c", 0), expected)


def test_embedded_subset_goes_field_by_field(source, tmp_path, monkeypatch):
    monkeypatch.setattr(dsb2018, "EMBEDDED_SIZE", (48, 64))
    monkeypatch.setattr(dsb2018, "EMBEDDED_COUNTS", {"train": 2, "val": 1, "test": 1})
    store = prepare(source, tmp_path / "out", "--subset", "embedded")
    names = {group.name for group in store.groups}
    assert {"a", "c", "f"} < names
    assert len(names) == 4


def test_wrong_sources_are_named(source, tmp_path):
    arguments = ["dsb2018", "--out", str(tmp_path / "out"), "--source"]
    with pytest.raises(DataError, match=r"no such folder(.|\n)*ID/masks"):
        main([*arguments, str(tmp_path / "gone")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no folders"):
        main([*arguments, str(tmp_path / "empty")])
    with pytest.raises(DataError, match=r"0 images and 0 masks(.|\n)*ID/masks"):
        main([*arguments, str(tmp_path)])
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(source / "a" / "masks" / "900.png")
    with pytest.raises(DataError, match=r"900\.png: \(9, 9\)"):
        main([*arguments, str(source)])
    assert list((tmp_path / "out").glob("*")) == []

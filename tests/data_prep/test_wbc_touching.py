import argparse
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from data_prep.cli import main
from data_prep.datasets import wbc_touching
from data_prep.plan import Group, Plan
from data_prep.smear import Cell, lay, take_apart
from data_prep.touching import HIDDEN, canvas, deform
from zoo.errors import ConfigError, DataError
from zoo.store.reader import Store

GROUND, RED = (230, 222, 200), (214, 170, 160)


def single(number: int, side: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """One cell among red cells: image, and mask as published. The cell's red channel is 2 * number."""
    random = np.random.default_rng(number)
    image = np.full((side, side, 3), GROUND, np.uint8)
    for x, y in random.integers(0, side, (8, 2)):
        cv2.circle(image, (int(x), int(y)), 9, RED, -1)
    mask = np.zeros((side, side), np.uint8)
    cv2.ellipse(mask, (side // 2, side // 2), (20 + number % 5, 16 + number % 3), 20 * number, 0, 360, 128, -1)
    cv2.circle(mask, (side // 2, side // 2), 8, 255, -1)
    image[mask > 0] = (2 * number, 90, 190)
    return image, mask


def publish(source: Path, count: int = 20) -> None:
    folder = source / "Dataset 1"
    folder.mkdir(parents=True)
    for number in range(1, count + 1):
        image, mask = single(number)
        Image.fromarray(image).save(folder / f"{number:03}.bmp")
        Image.fromarray(mask).save(folder / f"{number:03}.png")


def planned(source: Path, *options: str) -> Plan:
    parser = argparse.ArgumentParser()
    wbc_touching.add_arguments(parser)
    return wbc_touching.plan(source, parser.parse_args(options))


def groups(plan: Plan) -> list[Group]:
    return [group for shard in plan.shards for group in shard.read()]


@pytest.fixture(scope="module")
def library():
    parts = [take_apart(image, (mask > 0).astype(np.int32)) for image, mask in map(single, range(1, 15))]
    return [cell for cells, _ in parts for cell in cells], [ground for _, ground in parts if ground]


@pytest.fixture(scope="module")
def canvases(library):
    return [canvas(*library, 256, (10, 30), np.random.default_rng([7, index])) for index in range(5)]


def test_every_cell_is_seen_in_one_piece_and_touches_another(canvases):
    counts = set()
    for patch in canvases:
        assert (patch.image.shape, patch.image.dtype) == ((256, 256, 3), np.uint8)
        ids = np.unique(patch.label)
        counts.add(len(ids) - 1)
        np.testing.assert_array_equal(ids, np.arange(len(ids)))
        heap, _ = cv2.connectedComponents((patch.label > 0).astype(np.uint8), connectivity=8)
        assert heap == 2  # background and one heap
        for value in ids[1:]:
            cell = (patch.label == value).astype(np.uint8)
            assert cv2.connectedComponents(cell, connectivity=8)[0] == 2
            around = cv2.dilate(cell, np.ones((3, 3), np.uint8)) > 0
            assert len(set(np.unique(patch.label[around])) - {0, value}) >= 1
    assert counts <= set(range(10, 31))
    assert len(counts) > 1


def test_hardly_anything_is_hidden(library):
    """Discs of one size: a part of the area that is known may be missing."""
    mask = np.zeros((60, 60), bool)
    mask[np.hypot(*(np.mgrid[:60, :60] - 30)) < 25] = True
    disc = Cell(np.full((60, 60, 3), 90, np.uint8), mask, np.array(GROUND, float))
    patch = canvas([disc] * 12, library[1], 400, (12, 12), np.random.default_rng(0))
    areas = np.bincount(patch.label.ravel())[1:]
    assert len(areas) == 12
    assert areas.min() > 0.85**2 * mask.sum() * (1 - HIDDEN) * 0.95
    assert areas.max() < 1.15**2 * mask.sum() * 1.05


def test_labels_lie_where_cells_are_seen(canvases):
    """The blue of the cells occurs nowhere else, so a threshold finds them without the labels."""
    for patch in canvases:
        seen = patch.image[..., 2].astype(int) - patch.image[..., 1] > 35
        inside = cv2.erode((patch.label > 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        outside = cv2.dilate((patch.label > 0).astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
        assert seen[inside].mean() > 0.99
        assert seen[outside].mean() < 0.001


def test_the_seed_decides_everything(library):
    first, again, other = (canvas(*library, 256, (10, 15), np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.label, again.label)
    assert (first.image != other.image).any()


def test_cells_are_deformed_resized_and_turned(library):
    cell = max(library[0], key=lambda cell: cell.mask.sum())
    random = np.random.default_rng(3)
    made = [deform(cell, 1.0, random)[1] for _ in range(12)]
    areas = np.array([mask.sum() for mask in made]) / cell.mask.sum()
    assert areas.min() > 0.85**2 - 0.1
    assert areas.max() < 1.15**2 + 0.1
    assert np.ptp(areas) > 0.1
    angles = [cv2.fitEllipse(np.argwhere(mask).astype(np.float32))[2] for mask in made]
    assert np.ptp(angles) > 60
    assert all(cv2.connectedComponents(mask.astype(np.uint8))[0] == 2 for mask in made)


def test_large_cells_are_shrunk_to_fit(library):
    patch = canvas(*library, 120, (20, 20), np.random.default_rng(0))
    assert patch.label.max() == 20
    with pytest.raises(ConfigError, match="20 cells do not fit a canvas of 40 pixels"):
        canvas(*library, 40, (20, 20), np.random.default_rng(0))


@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_background_holds_no_white_cell_and_no_gap(library, scale):
    ground = lay(library[1], 200, scale, np.random.default_rng(0))
    assert ground.shape == (200, 200, 3)
    assert np.isfinite(ground).all()
    assert (ground[..., 2] - ground[..., 1] > 5).mean() == 0
    red = (np.abs(ground - RED).max(axis=-1) < 6).mean()
    assert 0.05 < red < 0.6


def test_only_whole_single_cells_are_taken():
    label = np.zeros((80, 80), np.int32)
    label[0:10, 20:30] = 1  # at the border
    label[30:40, 10:20] = 2
    label[40:50, 20:30] = 3  # touches 2 at a corner
    label[50:60, 50:60] = 4
    image = np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)
    (cell,), ground = take_apart(image, label)
    assert cell.mask.sum() == 100
    np.testing.assert_array_equal(cell.image[cell.mask], image[50:60, 50:60].reshape(-1, 3))
    assert ground is not None
    assert (ground.alpha[label > 0] == 0).all()
    assert take_apart(image, np.ones((80, 80), np.int32)) == ([], None)


def test_splits_share_neither_cells_nor_backgrounds(tmp_path):
    publish(tmp_path)
    made = planned(tmp_path, "--canvases", "20")
    names = {shard.stem: {path.name for path in shard.files} for shard in made.shards}
    assert list(names) == [f"wbc-touching-dataset1-{split}-000" for split in ("train", "val", "test")]
    assert [len(files) for files in names.values()] == [28, 4, 8]
    assert len(set.union(*names.values())) == 40
    cells = {group.split: group.attributes["single_cells"] for group in groups(made)}
    assert cells == {"train": 14, "val": 2, "test": 4}


def test_canvases_become_stores(tmp_path):
    source = tmp_path / "raw"
    publish(source)
    options = ["--canvases", "10", "--size", "160", "--cells", "3", "5", "--workers", "1"]
    first, again = tmp_path / "first", tmp_path / "again"
    for out in (first, again):
        assert main(["wbc_touching", "--source", str(source), "--out", str(out), *options]) == 0
    assert {path.name: Store(path).groups[0].count for path in first.glob("*.h5")} == {
        "wbc-touching-dataset1-train-000.h5": 7,
        "wbc-touching-dataset1-val-000.h5": 1,
        "wbc-touching-dataset1-test-000.h5": 2,
    }
    for path in first.glob("*.h5"):
        one, two = Store(path), Store(again / path.name)
        group = one.groups[0]
        assert one.info.split_unit == "field"
        for item in range(group.count):
            np.testing.assert_array_equal(one.image(group.name, item), two.image(group.name, item))
            np.testing.assert_array_equal(one.label(group.name, item), two.label(group.name, item))


def test_mistakes_are_named(tmp_path):
    with pytest.raises(DataError, match=r"neither 'Dataset 1'"):
        planned(tmp_path)
    publish(tmp_path, 2)
    for options in (["--cells", "5", "4"], ["--cells", "0", "4"], ["--canvases", "0"], ["--seed", "-1"]):
        with pytest.raises(ConfigError, match="at least 1 canvas"):
            planned(tmp_path, *options)
    Image.fromarray(np.full((100, 100), 128, np.uint8)).save(tmp_path / "Dataset 1/001.png")
    with pytest.raises(DataError, match=r"Dataset 1: 0 whole cells and 0 backgrounds in the 1 images of 'train'"):
        groups(planned(tmp_path))

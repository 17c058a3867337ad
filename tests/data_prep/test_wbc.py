import argparse
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from data_prep.cli import main
from data_prep.datasets import wbc
from data_prep.plan import Group
from data_prep.white_cells import CellImage, read_cells
from tests.data_prep.slow_pieces import pieces
from zoo.errors import DataError
from zoo.store.reader import Store


def mask_of_a_cell() -> np.ndarray:
    mask = np.zeros((120, 120), np.uint8)
    mask[40:80, 30:70] = 128
    mask[50:60, 40:50] = 255
    mask[65:75, 50:60] = 255  # a second lobe of the same nucleus
    return mask


def save(source: Path, dataset: int, number: int, mask: np.ndarray, side: int = 120) -> None:
    folder = source / f"Dataset {dataset}"
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(folder / f"{number:03}.bmp")
    Image.fromarray(mask).save(folder / f"{number:03}.png")


def publish(source: Path) -> None:
    for number in range(1, 11):
        save(source, 1, number, mask_of_a_cell())
    save(source, 2, 1, np.full((300, 300), 128, np.uint8), side=300)
    rows = "".join(f"{number},{number % 5 + 1}\r\n" for number in range(1, 11))
    (source / "Class Labels of Dataset 1.csv").write_text("image ID,class label\r\n" + rows, newline="")


def groups(source: Path, *options: str) -> list[Group]:
    parser = argparse.ArgumentParser()
    wbc.add_arguments(parser)
    return [group for shard in wbc.plan(source, parser.parse_args(options)).shards for group in shard.read()]


def test_both_data_sets_become_stores(tmp_path):
    source, out = tmp_path / "raw", tmp_path / "out"
    publish(source)
    assert main(["wbc", "--source", str(source), "--out", str(out), "--workers", "1"]) == 0
    first, second = Store(out / "wbc-dataset1.h5"), Store(out / "wbc-dataset2.h5")
    assert (first.info.dataset, first.info.split_unit) == ("WBC (cell)", "field")
    splits = [group.split for group in first.groups]
    assert splits == ["train"] * 7 + ["val"] + ["test"] * 2
    group = first.groups[2]
    assert (group.name, group.patient, group.attributes["kind"]) == ("dataset1-003", "dataset1-003", "eosinophil")
    np.testing.assert_array_equal(first.label(group.name, 0), mask_of_a_cell() > 0)
    np.testing.assert_array_equal(first.image(group.name, 0), np.asarray(Image.open(source / "Dataset 1/003.bmp")))
    (group,) = second.groups
    assert (group.width, "kind" in group.attributes) == (300, False)


def test_nuclei_of_one_cell_are_one_object(tmp_path):
    publish(tmp_path)
    label = groups(tmp_path, "--target", "nucleus")[0].patches[0].label
    np.testing.assert_array_equal(label, mask_of_a_cell() == 255)


def test_everything_may_be_test_data(tmp_path):
    publish(tmp_path)
    assert {group.split for group in groups(tmp_path, "--split", "test")} == {"test"}


def test_stray_greys_go_to_the_nearest_class(tmp_path):
    mask = mask_of_a_cell()
    mask[40, 30:40] = [64, 100, 127, 129, 150, 191, 128, 140, 90, 120]  # still cytoplasm
    mask[50, 40:45] = [192, 200, 254, 253, 230]  # still nucleus
    mask[39, 30:40] = [1, 2, 30, 63, 5, 40, 50, 60, 3, 7]  # still background
    mask[100, 100:103] = [255, 130, 70]  # a speck
    save(tmp_path, 1, 1, mask)
    np.testing.assert_array_equal(groups(tmp_path)[0].patches[0].label, mask_of_a_cell() > 0)
    np.testing.assert_array_equal(groups(tmp_path, "--target", "nucleus")[0].patches[0].label, mask_of_a_cell() == 255)


def test_two_cells_are_two_objects(tmp_path):
    mask = mask_of_a_cell()
    mask[90:110, 80:110] = 128
    save(tmp_path, 1, 1, mask)
    label = groups(tmp_path)[0].patches[0].label
    assert [int((label == value).sum()) for value in np.unique(label)] == [120 * 120 - 2200, 1600, 600]


def test_masks_may_be_grey_stored_as_colour(tmp_path):
    save(tmp_path, 1, 1, np.repeat(mask_of_a_cell()[..., None], 3, axis=2))
    np.testing.assert_array_equal(groups(tmp_path)[0].patches[0].label, mask_of_a_cell() > 0)


@given(grey=arrays.arrays(np.uint8, (12, 12), elements=st.sampled_from([0, 63, 64, 128, 191, 192, 255])))
def test_pixels_against_a_slow_reference(tmp_path_factory, grey):
    """Every pixel, one by one: flood fill of the cell, then the thresholds."""
    folder = tmp_path_factory.mktemp("wbc")
    Image.fromarray(np.zeros((12, 12, 3), np.uint8)).save(folder / "1.bmp")
    Image.fromarray(grey).save(folder / "1.png")
    sample = CellImage(1, folder / "1.bmp", folder / "1.png", "train", "")
    left = {(row, column) for row, column in np.ndindex(12, 12) if grey[row, column] > 63.9}
    if not left:
        with pytest.raises(DataError, match="so no cell"):
            read_cells(sample)
        return
    found = pieces(left)
    expected = {piece for piece in found if len(piece) >= 0.05 * max(map(len, found))}
    _, cells, nuclei = read_cells(sample)
    found = {frozenset(zip(*np.nonzero(cells == value), strict=True)) for value in range(1, cells.max() + 1)}
    assert found == expected
    np.testing.assert_array_equal(nuclei, (grey > 191.5) & (cells > 0))


def test_mistakes_are_named(tmp_path):
    with pytest.raises(DataError, match=r"neither 'Dataset 1' nor 'Dataset 2'(.|\n)*Dataset 1/001\.png"):
        groups(tmp_path)
    publish(tmp_path)
    (tmp_path / "Dataset 1/004.png").rename(tmp_path / "away")
    with pytest.raises(DataError, match=r"Dataset 1/004\.bmp has no Dataset 1/004\.png"):
        groups(tmp_path)
    (tmp_path / "away").rename(tmp_path / "Dataset 1/044.png")
    (tmp_path / "Dataset 1/004.bmp").rename(tmp_path / "away.bmp")
    with pytest.raises(DataError, match=r"Dataset 1/044\.png has no Dataset 1/044\.bmp"):
        groups(tmp_path)
    (tmp_path / "Dataset 1/044.png").unlink()
    content = (tmp_path / "Dataset 1/005.png").read_bytes()
    for part in (content[: len(content) // 2], b""):
        (tmp_path / "Dataset 1/005.png").write_bytes(part)
        with pytest.raises(DataError, match=r"Dataset 1/005\.png: can't be read"):
            groups(tmp_path)
    save(tmp_path, 1, 5, mask_of_a_cell()[1:])
    with pytest.raises(DataError, match=r"005\.png: \(119, 120\), but 005\.bmp is \(120, 120\)"):
        groups(tmp_path)
    save(tmp_path, 1, 5, mask_of_a_cell() // 128)
    with pytest.raises(DataError, match=r"005\.png: values up to 1, so no cell"):
        groups(tmp_path)
    save(tmp_path, 1, 5, mask_of_a_cell())
    (tmp_path / "Class Labels of Dataset 1.csv").write_text("image ID,class label\n1,9\n")
    with pytest.raises(DataError, match=r"Dataset 1\.csv: not rows"):
        groups(tmp_path)

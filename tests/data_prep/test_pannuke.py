import argparse
import resource
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from data_prep.cli import main
from data_prep.datasets import pannuke
from data_prep.plan import Group, Plan
from zoo.errors import ConfigError, DataError
from zoo.store.reader import Store

TISSUES = np.array(["Breast", "Adrenal_gland", "Breast"])  # np.save makes it '<U13', as in the release


def fold(root: Path, number: int) -> tuple[np.ndarray, np.ndarray]:
    """The publisher's files of one fold, with patches of 256 px as float64; returns images and masks."""
    rng = np.random.default_rng(number)
    images = rng.integers(0, 256, (3, 256, 256, 3)).astype(np.float64)
    masks = np.zeros((3, 256, 256, 6))
    masks[:, 10:20, 10:20, 0] = 1
    masks[:, 30:35, 40:48, 0] = 4
    masks[:, 50:60, 50:57, 1] = 4  # the same id in two channels
    masks[:, 50:60, 80:85, 4] = 1
    masks[..., 5] = masks[..., :5].sum(-1) == 0
    above = root / f"Fold {number}"
    for kind, name, array in (("images", "images", images), ("images", "types", TISSUES), ("masks", "masks", masks)):
        folder = above / kind / f"fold{number}"
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{name}.npy", array)
    return images, masks


def planned(source: Path, *options: str) -> Plan:
    parser = argparse.ArgumentParser()
    pannuke.add_arguments(parser)
    return pannuke.plan(source, parser.parse_args(options))


def groups(plan: Plan) -> list[Group]:
    return [group for shard in plan.shards for group in shard.read()]


def test_folds_become_stores(tmp_path):
    raw = {number: fold(tmp_path / "raw", number) for number in (1, 2, 3)}
    out = tmp_path / "out"
    assert main(["pannuke", "--source", str(tmp_path / "raw"), "--out", str(out), "--workers", "1"]) == 0
    stores = {path.stem: Store(path) for path in sorted(out.glob("*.h5"))}
    assert list(stores) == ["pannuke-fold1", "pannuke-fold2", "pannuke-fold3"]
    splits = {name: {group.split for group in store.groups} for name, store in stores.items()}
    assert splits == {"pannuke-fold1": {"train"}, "pannuke-fold2": {"val"}, "pannuke-fold3": {"test"}}
    store = stores["pannuke-fold2"]
    assert (store.info.split_unit, store.info.licence) == ("field", "CC BY-NC-SA 4.0")
    adrenal, breast = store.groups
    assert (breast.name, breast.count, breast.attributes["tissue"]) == ("fold2-Breast", 2, "Breast")
    assert (adrenal.name, adrenal.count, adrenal.mpp, adrenal.magnification) == ("fold2-Adrenal_gland", 1, 0.25, 40)
    images, masks = raw[2]
    np.testing.assert_array_equal(store.image("fold2-Breast", 1), images[2])
    np.testing.assert_array_equal(store.image("fold2-Adrenal_gland", 0), images[1])
    np.testing.assert_array_equal(store.label("fold2-Breast", 1) > 0, masks[2, ..., 5] == 0)
    assert sorted(store.objects("fold2-Breast")["area"]) == sorted(2 * [100, 40, 70, 50])


def test_which_fold_is_for_what(tmp_path):
    for number in (1, 3):
        fold(tmp_path, number)
    made = groups(planned(tmp_path, "--train", "3", "1", "--val", "--test"))
    assert {group.name: group.split for group in made} == {
        f"fold{number}-{tissue}": "train" for number in (1, 3) for tissue in ("Adrenal_gland", "Breast")
    }
    with pytest.raises(ConfigError, match="each only once"):
        planned(tmp_path, "--train", "1", "--val", "1", "--test", "3")
    with pytest.raises(DataError, match=r"no images\.npy of fold 2(.|\n)*Fold 1/images/fold1/images\.npy"):
        planned(tmp_path)


def test_other_names_of_the_folders(tmp_path):
    fold(tmp_path / "elsewhere", 1)
    (tmp_path / "elsewhere/Fold 1/images/fold1").rename(tmp_path / "elsewhere/Fold 1/images/Fold_1")
    assert len(groups(planned(tmp_path, "--val", "--test"))) == 2
    fold(tmp_path / "again", 1)
    with pytest.raises(DataError, match=r"are both images\.npy of fold 1"):
        planned(tmp_path, "--val", "--test")


def test_damaged_files_are_named(tmp_path):
    fold(tmp_path, 1)
    images, masks = tmp_path / "Fold 1/images/fold1/images.npy", tmp_path / "Fold 1/masks/fold1/masks.npy"
    content = masks.read_bytes()

    def read() -> None:
        for group in groups(planned(tmp_path, "--val", "--test")):
            list(group.patches)

    for part in (content[: len(content) // 2], content[:50], b"", b"no array"):
        masks.write_bytes(part)
        with pytest.raises(DataError, match=r"masks\.npy: not a complete NPY file"):
            read()
    np.save(masks, np.zeros((2, 256, 256, 6)))
    with pytest.raises(DataError, match=r"images\.npy: \(3, 256, 256, 3\), masks\.npy: \(2, 256, 256, 6\)"):
        read()
    np.save(masks, np.full((3, 256, 256, 6), 0.5))
    with pytest.raises(DataError, match=r"masks\.npy: patch 1 holds no ids"):
        read()
    masks.write_bytes(content)
    np.save(images, np.load(images) / 255)
    with pytest.raises(DataError, match=r"images\.npy: patch 1 has values from 0\.0 to 1\.0; .* 0 to 255"):
        read()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux' account of memory")
def test_patches_are_read_one_at_a_time(tmp_path):
    """Files of 4.7 GB (sparse, so that they take no room on the disk), of which 300 MB are read."""
    fold(tmp_path, 1)
    for name, channels in (("images/fold1/images.npy", 3), ("masks/fold1/masks.npy", 6)):
        np.lib.format.open_memmap(tmp_path / "Fold 1" / name, "w+", np.float64, (1000, 256, 256, channels)).flush()
    np.save(tmp_path / "Fold 1/images/fold1/types.npy", np.array(["Breast"] * 1000))
    (group,) = groups(planned(tmp_path, "--val", "--test"))

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    before = resident()
    grown = [resident() - before for _, patch in zip(range(64), group.patches, strict=False) if patch.label.max() == 0]
    assert len(grown) == 64
    assert max(grown) < 60e6


@given(
    arrays.arrays(np.int64, (6, 7, 5), elements=st.integers(0, 3)),
    st.sampled_from([np.float64, np.uint8, np.int32]),
)
def test_merging_keeps_every_nucleus(masks, dtype):
    """Against a slow search: nuclei of all channels, their areas and their pixels."""
    first = (masks > 0) & (np.cumsum(masks > 0, axis=-1) == 1)  # only one channel claims a pixel
    masks = np.where(first, masks, 0)
    label = pannuke.merge_channels(masks.astype(dtype))
    nuclei = {
        frozenset(zip(*np.nonzero(masks[..., channel] == value), strict=True))
        for channel in range(5)
        for value in range(1, 4)
        if (masks[..., channel] == value).any()
    }
    merged = {frozenset(zip(*np.nonzero(label == value), strict=True)) for value in np.unique(label[label > 0])}
    assert merged == nuclei


@given(arrays.arrays(np.int64, (5, 5, 5), elements=st.integers(0, 3)))
def test_the_later_channel_wins_a_pixel(masks):
    label = pannuke.merge_channels(masks)
    owner: dict[int, tuple[int, int]] = {}
    for row, column in np.ndindex(5, 5):
        claims = [(channel, int(value)) for channel, value in enumerate(masks[row, column]) if value]
        value = int(label[row, column])
        assert (value == 0) == (not claims)
        if claims:
            assert owner.setdefault(value, claims[-1]) == claims[-1]
    assert len(set(owner.values())) == len(owner)

"""Writing patch by patch, pairs of magnifications, and the table of objects."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.helpers.stores import ABOUT, HEIGHT, WIDTH, instances, picture
from zoo.errors import StoreError
from zoo.store.reader import Store
from zoo.store.schema import IGNORE, OBJECT_DTYPE, PARENT_DTYPE, object_table
from zoo.store.writer import StoreWriter

COMMON: dict[str, Any] = {"slide": "s", "patient": "p", "split": "train"}
IMAGES = np.stack([picture(seed) for seed in range(3)])
LABELS = np.stack([instances(), np.zeros_like(instances()), instances()[::-1]])
ORIGINS = np.array([[0, 0], [56, 0], [56, 40]])


def test_patch_by_patch_equals_the_stack_in_memory(tmp_path):
    with StoreWriter(tmp_path / "a.h5", **ABOUT) as writer:
        writer.add_group("g", IMAGES, LABELS, origins=ORIGINS, mpp=0.5, organ="colon", **COMMON)
    with StoreWriter(tmp_path / "b.h5", **ABOUT) as writer:
        stack = writer.open_group("g", mpp=0.5, organ="colon", **COMMON)
        for image, label, origin in zip(IMAGES, LABELS, ORIGINS.tolist(), strict=True):
            stack.append(image, label, tuple(origin))
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    store = Store(tmp_path / "b.h5")
    (group,) = store.groups
    assert (group.count, group.height, group.width, group.mpp) == (3, HEIGHT, WIDTH, 0.5)
    np.testing.assert_array_equal(store.origins("g"), ORIGINS)
    assert store.objects("g")["item"].tolist() == [0] * 6 + [2] * 6
    for item in range(3):
        np.testing.assert_array_equal(store.image("g", item), IMAGES[item])
        np.testing.assert_array_equal(store.label("g", item), LABELS[item])


def test_groups_written_after_each_other_are_apart(tmp_path):
    with StoreWriter(tmp_path / "a.h5", **ABOUT) as writer:
        writer.open_group("b", **COMMON).append(IMAGES[0], LABELS[0])
        stack = writer.open_group("a", **COMMON)
        stack.append(IMAGES[1, :9, :7], LABELS[0, :9, :7])
        stack.append(IMAGES[2, :9, :7], LABELS[0, :9, :7])
    store = Store(tmp_path / "a.h5")
    assert [(group.name, group.count, group.height, group.width) for group in store.groups] == [
        ("a", 2, 9, 7),
        ("b", 1, HEIGHT, WIDTH),
    ]
    np.testing.assert_array_equal(store.image("a", 1), IMAGES[2, :9, :7])


def test_a_stack_without_patches_leaves_no_group_but_what_was_said_of_it(tmp_path):
    with StoreWriter(tmp_path / "a.h5", **ABOUT) as writer:
        writer.open_group("none", skipped='{"glass": 3}', **COMMON)
        writer.open_group("some", **COMMON).append(IMAGES[0], LABELS[0])
        writer.open_group("last", **COMMON)
    store = Store(tmp_path / "a.h5")
    assert store.names == ["some"]
    assert json.loads(store.info.empty) == {"none": COMMON | {"skipped": '{"glass": 3}'}, "last": COMMON}


@pytest.mark.parametrize("patches", [0, 1])
def test_a_name_is_for_one_stack_even_if_that_was_empty(tmp_path, patches):
    def write() -> None:
        with StoreWriter(tmp_path / "a.h5", **ABOUT) as writer:
            stack = writer.open_group("g", **COMMON)
            for _ in range(patches):
                stack.append(IMAGES[0], LABELS[0])
            writer.open_group("g", **COMMON)

    with pytest.raises(StoreError, match="'g': a group's name must be new"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_attributes_learnt_while_writing_are_kept(tmp_path):
    with StoreWriter(tmp_path / "a.h5", **ABOUT) as writer:
        stack = writer.open_group("g", **COMMON)
        stack.append(IMAGES[0], LABELS[0])
        stack.attributes["tumour_fraction"] = 0.25
    assert Store(tmp_path / "a.h5").groups[0].attributes == {"tumour_fraction": 0.25}


@pytest.mark.parametrize(
    ("image", "label", "message"),
    [
        (IMAGES[1, :-1], LABELS[1, :-1], r"a patch of \(39, 56, 3\) in a stack of \(40, 56, 3\)"),
        (IMAGES[1], LABELS[1, :-1], "labels are"),
        (IMAGES[1, ..., :2], LABELS[1], "images are"),
        (IMAGES[1].astype(float), LABELS[1], "images are"),
        (IMAGES[1], LABELS[1].astype(np.int64) - 2**31 - 1, "do not fit int32"),
        (IMAGES[1], LABELS[1].astype(float), "labels are"),
    ],
)
def test_another_patch_is_refused_and_the_file_not_written(tmp_path, image, label, message):
    def write() -> None:
        with StoreWriter(tmp_path / "a.h5", **ABOUT) as writer:
            stack = writer.open_group("g", **COMMON)
            stack.append(IMAGES[0], LABELS[0])
            stack.append(image, label)

    with pytest.raises(StoreError, match=rf"a\.h5, group 'g': .*{message}"):
        write()
    assert list(tmp_path.iterdir()) == []


def pair(path: Path, parents: list[tuple[float, ...] | None], **about: Any) -> Store:
    """Two images at 5x and patches at 20x with these windows in them."""
    with StoreWriter(path, **ABOUT) as writer:
        writer.add_group("5x", IMAGES[:2], LABELS[:2], magnification=5, **COMMON)
        stack = writer.open_group("20x", **({"magnification": 20, "parent": "5x"} | COMMON | about))
        for window in parents:
            stack.append(IMAGES[2, :16, :16], LABELS[2, :16, :16], parent=window)
    return Store(path)


def test_patches_know_their_window_in_the_parent(tmp_path):
    windows = [(0, 1.0, 2.0, 5.0, 6.0), (1, 0.25, 0.5, 4.25, 4.5)]
    store = pair(tmp_path / "a.h5", windows)
    group = store.group("20x")
    assert (group.parent, group.magnification, group.count) == ("5x", 20, 2)
    assert store.group("5x").parent is None
    assert store.parents("20x").dtype == PARENT_DTYPE
    assert store.parents("20x").tolist() == windows
    assert "parent" not in group.attributes
    with pytest.raises(StoreError, match="group '5x': has no parent"):
        store.parents("5x")
    with pytest.raises(StoreError, match="no group '10x'"):
        store.parents("10x")


def test_a_parent_is_written_first_and_named_by_all_its_patches(tmp_path):
    with pytest.raises(StoreError, match="its parent '2x' is not in the file; write it first"):
        pair(tmp_path / "a.h5", [], parent="2x")
    with pytest.raises(StoreError, match="if and only if"):
        pair(tmp_path / "a.h5", [(0, 0, 0, 4, 4), None])
    with pytest.raises(StoreError, match="if and only if"):
        pair(tmp_path / "a.h5", [(0, 0, 0, 4, 4)], parent=None)
    assert list(tmp_path.iterdir()) == []


def slow_table(labels: np.ndarray, ignored: set[int]) -> list[tuple[int, ...]]:
    rows = []
    for item, label in enumerate(labels):
        places: dict[int, list[tuple[int, int]]] = {}
        for (row, column), value in np.ndenumerate(label):
            places.setdefault(int(value), []).append((row, column))
        for value in sorted(places.keys() - ignored):
            rows_, columns = zip(*places[value], strict=True)
            box = (min(columns), min(rows_), max(columns) + 1, max(rows_) + 1)
            rows.append((item, value, *box, len(rows_)))
    return rows


# Below 2**16 ids are counted as they are, otherwise pixels are renumbered: both, and their border.
IDS = {
    "small": st.sampled_from([0, 1, 2, 5, 255, 300]),
    "border": st.sampled_from([0, 7, 2**16 - 1, 2**16, 2**16 + 1]),
    "any": st.sampled_from([-(2**31), -300, -1, 0, 3, 255, 70_000, 2**31 - 1]),
}


@pytest.mark.parametrize("ids", IDS)
@pytest.mark.parametrize("kind", ["instances", "region"])
@given(data=st.data())
@settings(max_examples=30)
def test_the_table_of_objects_equals_a_slow_count(ids, kind, data):
    shape = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)))
    labels = data.draw(hnp.arrays(np.int64, shape, elements=IDS[ids]))
    table = object_table(labels, kind)
    assert table.dtype == OBJECT_DTYPE
    assert table.tolist() == slow_table(labels, {0, IGNORE} if kind == "region" else {0})


@pytest.mark.parametrize("kind", ["instances", "region"])
@given(labels=hnp.arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6))))
def test_the_table_of_objects_of_bytes_equals_a_slow_count(kind, labels):
    region = np.where(labels < 200, labels % 2, IGNORE)
    for array in (labels, region, region[:, ::-1, ::2]):
        assert object_table(array, kind).tolist() == slow_table(array, {0, IGNORE} if kind == "region" else {0})


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_labels_of_any_integer_type(tmp_path, dtype):
    labels = (LABELS % 128).astype(dtype)
    with StoreWriter(tmp_path / "a.h5", **ABOUT) as writer:
        writer.add_group("g", IMAGES, labels, **COMMON)
    store = Store(tmp_path / "a.h5")
    assert store.objects("g").tolist() == slow_table(LABELS % 128, {0})
    assert store.label("g", 0).dtype == np.int32


@pytest.mark.parametrize("kind", ["image", "label"])
def test_a_single_changed_byte_is_found(tmp_path, kind):
    noise = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    with StoreWriter(tmp_path / "a.h5", **ABOUT) as writer:
        writer.add_group("g", noise, noise[..., 0].astype(np.int32), **COMMON)
    with h5py.File(tmp_path / "a.h5", locking=False) as file:
        chunk = file["g"][kind].id.get_chunk_info(0)
    good = bytearray((tmp_path / "a.h5").read_bytes())
    for place in range(chunk.byte_offset, chunk.byte_offset + chunk.size, chunk.size // 16):
        changed = good.copy()
        changed[place] ^= 1
        (tmp_path / "b.h5").write_bytes(changed)
        with pytest.raises(StoreError, match=f"{kind} 0 is damaged"):
            getattr(Store(tmp_path / "b.h5"), kind)("g", 0)

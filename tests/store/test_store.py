import fcntl
import multiprocessing
import os
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoo.errors import StoreError
from zoo.store.reader import Store, store_paths
from zoo.store.schema import OBJECT_DTYPE
from zoo.store.writer import StoreWriter

ABOUT = {"dataset": "Made up", "licence": "CC0 1.0", "citation": "nobody", "source_checksum": "0" * 64}
HEIGHT, WIDTH = 37, 53


def make(path: Path, images: np.ndarray, label_images: np.ndarray, **about: str) -> Store:
    with StoreWriter(path, **(ABOUT | about)) as writer:
        writer.add_group("a", images, label_images, slide="slide", patient="patient", split="train")
    return Store(path)


@pytest.fixture(scope="module")
def arrays() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, HEIGHT, WIDTH, 3), np.uint8)
    return images, rng.choice([0, 1, 7, 300, 70_000, -4], (3, HEIGHT, WIDTH)).astype(np.int64)


@pytest.fixture(scope="module")
def store(arrays, tmp_path_factory) -> Store:
    return make(tmp_path_factory.mktemp("store") / "a.h5", *arrays)


def test_reads_what_was_written(store, arrays):
    images, labels = arrays
    for item in range(3):
        np.testing.assert_array_equal(store.image("a", item), images[item])
        np.testing.assert_array_equal(store.label("a", item), labels[item])
    assert store.image("a", 0).dtype == np.uint8
    assert store.label("a", 0).dtype == np.int32
    np.testing.assert_array_equal(store.origins("a"), np.zeros((3, 2)))


def test_describes_file_and_groups(tmp_path):
    image, label = np.zeros((1, 8, 9, 3), np.uint8), np.zeros((1, 8, 9), np.uint8)
    with StoreWriter(tmp_path / "x.h5", **ABOUT, split_unit="field", labels="region") as writer:
        common = {"patient": "p", "split": "test", "origins": np.array([[5, 6]])}
        writer.add_group("b", image, label, slide="s2", mpp=0.25, magnification=40, organ="liver", **common)
        writer.add_group("a", image, label, slide="s1", **common)
    store = Store(tmp_path / "x.h5")
    info = store.info
    assert (info.dataset, info.licence, info.citation) == ("Made up", "CC0 1.0", "nobody")
    assert (info.split_unit, info.labels, info.schema_version) == ("field", "region", 1)
    assert info.creator.startswith("isegzoo ")
    first, second = store.groups
    assert (first.name, first.count, first.height, first.width) == ("a", 1, 8, 9)
    assert (first.slide, first.patient, first.split) == ("s1", "p", "test")
    assert first.mpp is None
    assert first.magnification is None
    assert (second.mpp, second.magnification, dict(second.attributes)) == (0.25, 40, {"organ": "liver"})
    np.testing.assert_array_equal(store.origins("b"), [[5, 6]])
    assert store.label("a", 0).dtype == np.uint8


def slow_objects(labels: np.ndarray, ignore: int | None) -> list[tuple[int, ...]]:
    rows = []
    for item, label in enumerate(labels):
        for value in sorted(set(label.ravel().tolist()) - {0, ignore}):
            ys, xs = np.nonzero(label == value)
            rows.append((item, value, xs.min(), ys.min(), xs.max() + 1, ys.max() + 1, len(xs)))
    return rows


def test_objects_equal_a_slow_count(store, arrays):
    objects = store.objects("a")
    assert objects.dtype == OBJECT_DTYPE
    assert objects.tolist() == slow_objects(arrays[1], None)


def test_ignored_pixels_are_no_object(tmp_path):
    labels = np.array([[[0, 1, 1], [255, 255, 1]], [[255, 255, 255], [0, 0, 0]]])
    store = make(tmp_path / "r.h5", np.zeros((2, 2, 3, 3), np.uint8), labels, labels="region")
    assert store.objects("a").tolist() == slow_objects(labels, 255) == [(0, 1, 1, 0, 3, 2, 3)]


@given(st.data())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_windows_are_slices(store, arrays, data):
    x0 = data.draw(st.integers(0, WIDTH - 1))
    y0 = data.draw(st.integers(0, HEIGHT - 1))
    x1, y1 = data.draw(st.integers(x0 + 1, WIDTH)), data.draw(st.integers(y0 + 1, HEIGHT))
    item = data.draw(st.integers(0, 2))
    window = (x0, y0, x1, y1)
    np.testing.assert_array_equal(store.image("a", item, window), arrays[0][item, y0:y1, x0:x1])
    np.testing.assert_array_equal(store.label("a", item, window), arrays[1][item, y0:y1, x0:x1])


@pytest.mark.parametrize(
    "window", [(-1, 0, 5, 5), (0, 0, WIDTH + 1, 5), (0, 0, 5, HEIGHT + 1), (5, 5, 5, 9), (9, 0, 5, 5)]
)
def test_windows_outside_are_errors(store, window):
    with pytest.raises(StoreError, match="not inside"):
        store.image("a", 0, window)


def test_unknown_items_and_groups_are_errors(store):
    with pytest.raises(StoreError, match="item 3"):
        store.image("a", 3)
    with pytest.raises(StoreError, match="item -1"):
        store.image("a", -1)
    with pytest.raises(StoreError, match="no group 'b'"):
        store.objects("b")


def test_a_patch_is_one_chunk_and_large_images_are_tiled(tmp_path):
    small = make(tmp_path / "s.h5", np.zeros((2, 512, 300, 3), np.uint8), np.zeros((2, 512, 300), int))
    large = make(tmp_path / "l.h5", np.zeros((1, 600, 100, 3), np.uint8), np.zeros((1, 600, 100), int))
    with h5py.File(small.path) as file:
        assert file["a/image"].chunks == (1, 512, 300, 3)
        assert file["a/label"].chunks == (1, 512, 300)
    with h5py.File(large.path) as file:
        assert file["a/image"].chunks == (1, 256, 100, 3)


def test_same_content_gives_the_same_bytes(tmp_path, arrays):
    first, second = make(tmp_path / "1.h5", *arrays), make(tmp_path / "2.h5", *arrays)
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.checksum() == second.checksum()
    arrays[0][0, 0, 0, 0] ^= 1
    assert make(tmp_path / "3.h5", *arrays).checksum() != first.checksum()
    arrays[0][0, 0, 0, 0] ^= 1


def test_the_checksum_is_of_the_data_and_not_of_the_file(tmp_path, arrays):
    store = make(tmp_path / "1.h5", *arrays)

    def checksum() -> str:
        reader = Store(store.path)
        try:
            return reader.checksum()
        finally:
            reader.close()

    before = checksum()
    with h5py.File(store.path, "r+") as file:
        file.attrs["creator"] = "isegzoo 99.0"
        image = file["a/image"][:]
        del file["a/image"]
        file.create_dataset("a/image", data=image)  # other chunks, not compressed
    assert checksum() == before
    for name, value in (("split", "test"), ("mpp", 0.125)):
        with h5py.File(store.path, "r+") as file:
            file["a"].attrs[name] = value
        changed = checksum()
        assert changed != before
        before = changed
    with h5py.File(store.path, "r+") as file:
        file["a/label"][0, -1, -1] += 1
    assert checksum() != before


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_interrupted_writer_leaves_nothing(tmp_path, arrays, error):
    def interrupted() -> None:
        with StoreWriter(tmp_path / "a.h5", **ABOUT) as writer:
            writer.add_group("a", *arrays, slide="s", patient="p", split="train")
            raise error

    with pytest.raises(error):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_interrupted_writer_keeps_the_earlier_file(tmp_path, arrays):
    store = make(tmp_path / "a.h5", *arrays)
    before = store.checksum()
    with pytest.raises(StoreError), StoreWriter(store.path, **ABOUT) as writer:
        writer.add_group("a/b", *arrays, slide="s", patient="p", split="train")
    assert store.checksum() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_file_is_invisible_until_complete(tmp_path, arrays):
    with StoreWriter(tmp_path / "a.h5", **ABOUT) as writer:
        writer.add_group("a", *arrays, slide="s", patient="p", split="train")
        assert not (tmp_path / "a.h5").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((1, 4, 4), np.uint8), np.zeros((1, 4, 4), int), "images are"),
        (np.zeros((1, 4, 4, 3), np.float32), np.zeros((1, 4, 4), int), "images are"),
        (np.zeros((0, 4, 4, 3), np.uint8), np.zeros((0, 4, 4), int), "images are"),
        (np.zeros((1, 4, 4, 3), np.uint8), np.zeros((1, 4, 5), int), "labels are"),
        (np.zeros((1, 4, 4, 3), np.uint8), np.zeros((1, 4, 4)), "labels are"),
        (np.zeros((1, 4, 4, 3), np.uint8), np.full((1, 4, 4), 2**31), "do not fit int32"),
    ],
)
def test_writer_refuses_what_breaks_the_schema(tmp_path, images, labels, message):
    with pytest.raises(StoreError, match=message):
        make(tmp_path / "a.h5", images, labels)
    with pytest.raises(StoreError, match="split_unit"):
        StoreWriter(tmp_path / "a.h5", **ABOUT, split_unit="slide")  # type: ignore[arg-type]


def test_region_labels_must_fit_a_byte(tmp_path):
    with pytest.raises(StoreError, match="do not fit uint8"):
        make(tmp_path / "a.h5", np.zeros((1, 2, 2, 3), np.uint8), np.full((1, 2, 2), 256), labels="region")


def test_unusable_files_are_named(tmp_path, store):
    with pytest.raises(StoreError, match=r"gone\.h5: no such file"):
        _ = Store(tmp_path / "gone.h5").groups
    with pytest.raises(StoreError, match="no such file"):
        Store(tmp_path / "gone.h5").checksum()
    (tmp_path / "text.h5").write_text("not a store")
    with pytest.raises(StoreError, match=r"text\.h5: not an HDF5 file"):
        _ = Store(tmp_path / "text.h5").info
    whole = store.path.read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match=r"cut\.h5: truncated"):
        _ = Store(tmp_path / "cut.h5").groups


def test_unknown_schema_and_missing_parts_are_named(tmp_path, arrays):
    def altered(change) -> Store:
        path = make(tmp_path / "a.h5", *arrays).path
        with h5py.File(path, "a") as file:
            change(file)
        return Store(path)

    with pytest.raises(StoreError, match="schema version 99"):
        _ = altered(lambda file: file.attrs.__setitem__("schema_version", 99)).groups
    with pytest.raises(StoreError, match="schema version None"):
        _ = altered(lambda file: file.attrs.__delitem__("schema_version")).info
    for part in ("image", "label", "objects"):
        with pytest.raises(StoreError, match=f"group 'a': {part} missing"):
            _ = altered(lambda file, part=part: file["a"].__delitem__(part)).groups
    with pytest.raises(StoreError, match="patient missing"):
        _ = altered(lambda file: file["a"].attrs.__delitem__("patient")).groups

    def shorten(file: h5py.File) -> None:
        del file["a/label"]
        file["a/label"] = np.zeros((2, HEIGHT, WIDTH), np.int32)

    with pytest.raises(StoreError, match="labels are"):
        _ = altered(shorten).groups


def test_damage_inside_is_named(tmp_path, arrays):
    store = make(tmp_path / "a.h5", *arrays)
    with h5py.File(store.path) as file:
        chunk = file["a/image"].id.get_chunk_info(1)
    data = bytearray(store.path.read_bytes())
    data[chunk.byte_offset : chunk.byte_offset + 40] = bytes(40)
    store.path.write_bytes(data)
    np.testing.assert_array_equal(store.image("a", 0), arrays[0][0])
    with pytest.raises(StoreError, match="image 1 is damaged"):
        store.image("a", 1)


def test_pickled_store_reads_again(store, arrays):
    store.image("a", 0)
    again = pickle.loads(pickle.dumps(store))
    assert again._handle is None
    np.testing.assert_array_equal(again.image("a", 2), arrays[0][2])
    assert again.groups == store.groups


def _read_in_child(store: Store, connection) -> None:
    connection.send((store.image("a", 1).sum(dtype=int), store._pid == os.getpid()))
    connection.close()


def test_open_store_crosses_a_fork(store, arrays):
    store.image("a", 0)
    parent_handle = store._handle
    fork = multiprocessing.get_context("fork")
    receive, send = fork.Pipe(duplex=False)
    process = fork.Process(target=_read_in_child, args=(store, send))
    process.start()
    assert receive.poll(30)
    assert receive.recv() == (arrays[0][1].sum(dtype=int), True)
    process.join(30)
    assert process.exitcode == 0
    assert store._handle is parent_handle
    np.testing.assert_array_equal(store.image("a", 2), arrays[0][2])


def test_reading_takes_no_lock(store):
    store.image("a", 0)
    with store.path.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_cache_changes_no_result(store, arrays):
    for cache_bytes in (0, 1000, 2**20):
        cached = Store(store.path, cache_bytes)
        for item in (0, 1, 0):
            np.testing.assert_array_equal(cached.image("a", item, (3, 4, 9, 9)), arrays[0][item, 4:9, 3:9])
        cached.close()


def test_closed_store_opens_again(store, arrays):
    store.close()
    store.close()
    np.testing.assert_array_equal(store.image("a", 0), arrays[0][0])


def test_files_of_the_system_are_no_stores(tmp_path, store):
    folder = store.path.parent
    (folder / f"._{store.path.name}").write_bytes(b"\0\5\x16\7Mac OS X")
    assert store.path in store_paths(str(folder))
    assert not [path for path in store_paths(str(folder)) if path.name.startswith(".")]
    assert store_paths(str(folder / "*.h5")) == store_paths(str(folder))

import pickle
from functools import partial

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from tests.helpers.stores import HEIGHT, IDS, RECTANGLES, WIDTH, instance_store, instances, picture, region_store
from zoo.data.batch import Sample, collate
from zoo.data.datasets import Samples, Selection, WholeImages
from zoo.data.objects import ObjectWindows
from zoo.data.transforms import Augment
from zoo.errors import ConfigError, DataError
from zoo.store.reader import Store
from zoo.store.schema import IGNORE

FLIPS = {
    "brightness_contrast": 0.0, "hue_saturation": 0.0, "stain": 0.0, "sharpness": 0.0, "noise": 0.0,
}  # fmt: skip
BY_ID = dict(zip(IDS, RECTANGLES, strict=True))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Three test images in two groups, and one to train on."""
    path = tmp_path_factory.mktemp("stores") / "a.h5"
    return instance_store(path, ("one", "test", 2), ("three", "train", 1), ("two", "test", 1))


@pytest.fixture(scope="module")
def regions(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return region_store(tmp_path_factory.mktemp("stores") / "r.h5")


def corner(sample: Sample) -> tuple[int, int]:
    """x and y of a window, which its pixels hold."""
    return int(sample.image[0, 0, 1]), int(sample.image[0, 0, 0])


def chosen(dataset: ObjectWindows) -> set[tuple[str, int, int]]:
    places = [dataset.describe(number) for number in range(len(dataset))]
    return {(str(p["group"]), int(p["item"]), int(p["object"])) for p in places}


@pytest.mark.parametrize("side", [1, 15, 16, HEIGHT])
@pytest.mark.parametrize("shift", [0, 5])
def test_a_window_is_a_part_of_its_image(store, side, shift):
    dataset = ObjectWindows(Selection([store], "test"), side, shift=min(shift, (side - 1) // 2))
    assert len(dataset) == 3 * len(IDS)
    for number in range(len(dataset)):
        sample = dataset[number]
        place = dataset.describe(number)
        x0, y0 = corner(sample)
        assert (place["x0"], place["y0"]) == (x0, y0)
        seed = int(place["item"]) + (20 if place["group"] == "two" else 0)
        window = np.s_[y0 : y0 + side, x0 : x0 + side]
        np.testing.assert_array_equal(sample.image, picture(seed)[window])
        np.testing.assert_array_equal(sample.instances, instances()[window])
        np.testing.assert_array_equal(sample.target, instances()[window] == place["object"])
        assert sample.instances.dtype == np.int64
        assert sample.ignore is None
        assert sample.object_id == place["object"]


@pytest.mark.parametrize("side", [12, 13])
def test_a_window_is_centred_where_the_image_allows(store, side):
    dataset = ObjectWindows(Selection([store], "train"), side)
    for number in range(len(dataset)):
        row, column, height, width = BY_ID[int(dataset.describe(number)["object"])]
        x0 = min(max(column + width // 2 - side // 2, 0), WIDTH - side)
        y0 = min(max(row + height // 2 - side // 2, 0), HEIGHT - side)
        assert corner(dataset[number]) == (x0, y0)


@pytest.mark.parametrize("side", [12, 13])
def test_the_largest_shift_leaves_the_middle_of_the_object_in_its_window(store, side):
    shift = (side - 1) // 2
    dataset = ObjectWindows(Selection([store], "train"), side, shift=shift)
    seen: dict[int, set[tuple[int, int]]] = {}
    for epoch in range(80):
        for number in range(len(dataset)):
            sample = dataset[number + epoch * len(dataset)]
            x0, y0 = corner(sample)
            row, column, height, width = BY_ID[sample.object_id]
            assert 0 <= column + width // 2 - x0 < side
            assert 0 <= row + height // 2 - y0 < side
            assert sample.target.any()
            seen.setdefault(sample.object_id, set()).add((x0, y0))
    # The object in the middle of the image goes everywhere, independently in x and y.
    columns, rows = (set(values) for values in zip(*seen[300], strict=True))
    centre_x, centre_y = 20 + 7 // 2 - side // 2, 10 + 8 // 2 - side // 2
    assert columns == set(range(centre_x - shift, centre_x + shift + 1))
    assert rows == {max(y, 0) for y in range(centre_y - shift, centre_y + shift + 1)}
    assert len(seen[300]) > 2 * side


def test_a_shift_that_loses_the_object_is_an_error(store):
    for side, shift in ((12, 6), (13, 7), (8, -1)):
        with pytest.raises(ConfigError, match=rf"shift={shift}.*{side}"):
            ObjectWindows(Selection([store], "train"), side, shift=shift)


def test_shifts_depend_on_sample_and_epoch_alone(store):
    first, second = (ObjectWindows(Selection([store], "test"), 16, shift=5) for _ in range(2))
    length = len(first)
    backwards = [corner(second[i]) for i in reversed(range(3 * length))][::-1]
    forwards = [corner(first[i]) for i in range(3 * length)]
    assert forwards == backwards
    assert forwards[:length] != forwards[length : 2 * length]
    assert forwards[length : 2 * length] != forwards[2 * length :]


def test_ids_are_positions_whatever_the_epoch(store):
    for dataset in (ObjectWindows(Selection([store], "test"), 16), WholeImages(Selection([store], "test"))):
        for index in (0, len(dataset) - 1, len(dataset), 5 * len(dataset) + 1):
            assert dataset[index].sample_id == index % len(dataset)
    windows, images = ObjectWindows(Selection([store], "test"), 16), WholeImages(Selection([store], "test"))
    for number in range(len(windows)):
        whole = images.describe(windows[number].image_id)
        assert {key: windows.describe(number)[key] for key in whole} == whole


def test_small_objects_are_left_out(store):
    areas = {number: height * width for number, (_, _, height, width) in BY_ID.items()}
    for least in (1, 2, 30, 31, 10_000):
        found = {each[2] for each in chosen(ObjectWindows(Selection([store], "test"), 16, min_area=least))}
        assert found == {number for number, area in areas.items() if area >= least}


def test_at_most_so_many_objects_of_an_image(store):
    for count in (1, 2, 5, 6, 9):
        found = chosen(ObjectWindows(Selection([store], "test"), 16, per_image=count))
        for place in (("one", 0), ("one", 1), ("two", 0)):
            assert sum(each[:2] == place for each in found) == min(count, len(IDS))
    few = chosen(ObjectWindows(Selection([store], "test"), 16, per_image=1))
    assert len({each[2] for each in few}) > 1  # not the same object of every image


def test_objects_are_drawn_alike_whatever_the_other_options(store, tmp_path):
    def drawn(*stores: Store, **options: object) -> set[tuple[str, int, int]]:
        selection = Selection(stores, "test", limit=options.pop("limit", None))
        arguments = {"side": 16, "per_image": 2} | options
        return {each for each in chosen(ObjectWindows(selection, **arguments)) if each[0] in ("one", "two")}

    every = drawn(store)
    assert len(every) == 6
    assert drawn(store, side=30, shift=5) == every
    assert drawn(store, limit=2) == {each for each in every if each[0] == "one"}
    assert every < drawn(store, per_image=3) < drawn(store, per_image=5)
    # Dropping small objects moves nobody who stays.
    assert {each for each in every if each[2] != 41} <= drawn(store, min_area=2)
    other = instance_store(tmp_path / "0.h5", ("other", "test", 2))
    assert drawn(other, store) == every


def test_limit_counts_images(store):
    for limit, images in ((1, 1), (2, 2), (3, 3), (9, 3), (None, 3)):
        assert len(WholeImages(Selection([store], "test", limit=limit))) == images
        assert len(ObjectWindows(Selection([store], "test", limit=limit), 16)) == images * len(IDS)


def test_whole_images_and_their_objects(store):
    dataset = WholeImages(Selection([store], "test"))
    for number, seed in enumerate((0, 1, 20)):
        sample = dataset[number]
        np.testing.assert_array_equal(sample.image, picture(seed))
        np.testing.assert_array_equal(sample.instances, instances())
        np.testing.assert_array_equal(sample.target, instances() > 0)
        assert (sample.ignore, sample.object_id, sample.image_id) == (None, 0, number)
    assert dataset.describe(2) == {
        "file": "a.h5", "group": "two", "slide": "slide-two", "patient": "a-two", "item": 0
    }  # fmt: skip


def test_regions_and_what_is_ignored(regions):
    dataset = WholeImages(Selection([regions], "test"))
    for number in range(2):
        label = regions.label("r", number)
        sample = dataset[number]
        np.testing.assert_array_equal(sample.target, (label == 1) | (label == 2))
        np.testing.assert_array_equal(sample.ignore, label == IGNORE)
        assert sample.instances is None
    truth = collate([dataset[0], dataset[1]]).truth
    assert truth.instances is None
    assert truth.object_id is None
    assert not truth.target[1].any()
    assert truth.ignore.shape == (2, 1, HEIGHT, WIDTH)


def test_windows_of_regions_or_larger_than_an_image_are_errors(store, regions):
    with pytest.raises(DataError, match=r"r\.h5: labels are regions.*WholeImages"):
        ObjectWindows(Selection([regions], "test"), 8)
    with pytest.raises(DataError, match=rf"a\.h5.*'one'.*{HEIGHT + 1} px do not fit.*{WIDTH}x{HEIGHT}"):
        ObjectWindows(Selection([store], "test"), HEIGHT + 1)
    assert len(ObjectWindows(Selection([regions], "train"), 8)) == 0  # nothing of the split, nothing to complain about


@pytest.mark.parametrize("kind", [partial(ObjectWindows, side=16), WholeImages])
def test_augmentation_follows_sample_and_epoch(store, kind: Samples):
    dataset, again = (kind(Selection([store], "test", Augment())) for _ in range(2))
    one, two = dataset[0], dataset[len(dataset)]
    assert not np.array_equal(one.image, two.image) or one.image.shape != two.image.shape
    for index in (len(dataset), 0):
        first, second = dataset[index], again[index]
        np.testing.assert_array_equal(first.image, second.image)
        np.testing.assert_array_equal(first.instances, second.instances)


def test_augmentation_moves_image_and_labels_together(store):
    dataset = ObjectWindows(Selection([store], "test", Augment(**FLIPS)), 16)
    moved = 0
    for index in range(3 * len(dataset)):
        sample = dataset[index]
        rows, columns = sample.image[..., 0].astype(int), sample.image[..., 1].astype(int)
        np.testing.assert_array_equal(sample.instances, instances()[rows, columns])
        np.testing.assert_array_equal(sample.target, sample.instances == sample.object_id)
        moved += int(rows[0, 0] != rows.min() or columns[0, 0] != columns.min())
    assert moved > len(dataset)


def test_stores_are_read_once_for_all_windows_of_an_image(store, monkeypatch):
    read = []
    original = Store.image
    monkeypatch.setattr(Store, "image", lambda self, *place: read.append(place) or original(self, *place))
    monkeypatch.setattr(ObjectWindows, "cached_images", 2)
    dataset = ObjectWindows(Selection([store], "test"), 16)
    for number in range(len(dataset)):
        _ = dataset[number]
    assert read == [("one", 0), ("one", 1), ("two", 0)]
    _ = dataset[0]
    assert len(read) == 4


def test_two_workers_give_the_same_samples(store):
    dataset = ObjectWindows(Selection([store], "test", Augment()), 16, shift=4)
    expected = [dataset[index] for index in range(len(dataset))]  # its handle and cache are filled before the fork
    batches = list(DataLoader(dataset, batch_size=5, num_workers=2, collate_fn=collate))
    assert torch.cat([batch.truth.sample_id for batch in batches]).tolist() == list(range(len(dataset)))
    images = torch.cat([batch.image for batch in batches]).permute(0, 2, 3, 1).numpy()
    for key, rows in {
        "image": images,
        "target": torch.cat([batch.truth.target for batch in batches])[:, 0].numpy(),
        "instances": torch.cat([batch.truth.instances for batch in batches])[:, 0].numpy(),
    }.items():
        np.testing.assert_array_equal(rows, np.stack([getattr(sample, key) for sample in expected]))


def test_pickling_leaves_the_cache_behind(store):
    dataset = ObjectWindows(Selection([store], "test"), 16, shift=4)
    _ = dataset[0]
    copy = pickle.loads(pickle.dumps(dataset))
    assert copy._cached is None
    assert corner(copy[3]) == corner(dataset[3])
    assert len(pickle.dumps(dataset)) < 20_000


def test_a_batch(store):
    samples = [ObjectWindows(Selection([store], "test"), 16)[number] for number in (4, 0, 17)]
    batch = collate(samples)
    assert len(batch) == 3
    assert batch.image.shape == (3, 3, 16, 16)
    assert batch.image.dtype == torch.uint8
    assert batch.image.is_contiguous(memory_format=torch.channels_last)
    for i, sample in enumerate(samples):
        np.testing.assert_array_equal(batch.image[i].permute(1, 2, 0), sample.image)
        np.testing.assert_array_equal(batch.truth.target[i, 0], sample.target)
        np.testing.assert_array_equal(batch.truth.instances[i, 0], sample.instances)
    assert batch.truth.sample_id.tolist() == [4, 0, 17]
    assert batch.truth.object_id.tolist() == [s.object_id for s in samples]
    assert batch.image_id.tolist() == [0, 0, 2]
    moved = batch.to("meta", non_blocking=True)
    assert (moved.image.device.type, moved.truth.target.device.type, moved.image_id.device.type) == ("meta",) * 3


def test_images_of_several_sizes_are_no_batch(store):
    windows = [ObjectWindows(Selection([store], "test"), side)[0] for side in (16, 20)]
    with pytest.raises(DataError, match=r"16x16.*20x20.*batch_size: 1"):
        collate(windows)

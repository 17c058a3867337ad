"""Objects in their whole images, in batches of one size."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers.stores import ABOUT, HEIGHT, IDS, WIDTH, instances, picture, region_store
from zoo.data.datamodule import PatchDataModule
from zoo.data.datasets import Samples, Selection
from zoo.data.objects import ObjectsInImages, ObjectWindows
from zoo.errors import DataError
from zoo.store.reader import Store
from zoo.store.writer import StoreWriter

CUT = (30, 41)
# The size of each group's images, in pixels; the object at the right bottom is not in the cut ones.
GROUPS = {"a": (HEIGHT, WIDTH), "b": CUT, "c": (HEIGHT, WIDTH)}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Test images of two sizes: two in `a`, one in `b`, one in `c`."""
    path = tmp_path_factory.mktemp("objects") / "s.h5"
    with StoreWriter(path, **ABOUT) as writer:
        for seed, (name, (height, width)) in enumerate(GROUPS.items()):
            images = np.stack([picture(10 * seed + k)[:height, :width] for k in range(2 if name == "a" else 1)])
            labels = np.stack([instances()[:height, :width]] * len(images))
            writer.add_group(name, images, labels, slide=name, patient=name, split="test")
    return Store(path)


def module(store: Store, evaluated: Samples = ObjectsInImages, **options: object) -> PatchDataModule:
    data = PatchDataModule([str(store.path)], batch_size=5, **options)
    data.evaluated = evaluated
    data.setup("test")
    return data


def test_a_sample_is_its_whole_image_with_one_target(store):
    dataset = ObjectsInImages(Selection([store], "test"))
    seen = []
    for number in range(len(dataset)):
        sample, place = dataset[number], dataset.describe(number)
        seed = 10 * list(GROUPS).index(str(place["group"])) + int(place["item"])
        height, width = GROUPS[str(place["group"])]
        assert dataset.size(number) == sample.target.shape == (height, width)
        np.testing.assert_array_equal(sample.image, picture(seed)[:height, :width])
        np.testing.assert_array_equal(sample.instances, instances()[:height, :width])
        np.testing.assert_array_equal(sample.target, sample.instances == place["object"])
        assert sample.target.any()
        assert (sample.object_id, sample.sample_id, sample.ignore) == (place["object"], number, None)
        seen.append((sample.image_id, sample.object_id))
    inside = [number for number in IDS if (instances()[: CUT[0], : CUT[1]] == number).any()]
    expected = {(image, number) for image in range(4) for number in (inside if image == 2 else IDS)}
    assert len(inside) < len(IDS)
    assert len(seen) == len(expected)
    assert set(seen) == expected


@pytest.mark.parametrize("size", [1, 4, 5, 100])
def test_batches_hold_one_size_and_every_sample_once(store, size):
    dataset = ObjectsInImages(Selection([store], "test"))
    batches = dataset.batches(size)
    assert sorted(number for batch in batches for number in batch) == list(range(len(dataset)))
    of_size: dict[tuple[int, int], list[int]] = {}
    for batch in batches:
        (place,) = {dataset.size(number) for number in batch}
        of_size.setdefault(place, []).append(len(batch))
    for place, lengths in of_size.items():
        total = sum(dataset.size(number) == place for number in range(len(dataset)))
        assert lengths == [size] * (total // size) + [total % size] * (total % size > 0)


def test_the_datamodule_gives_them(store):
    data = module(store)
    dataset = data.datasets["test"]
    batches = list(data.test_dataloader())
    assert max(len(batch) for batch in batches) == 5
    for batch in batches:
        for i, number in enumerate(batch.truth.sample_id.tolist()):
            np.testing.assert_array_equal(batch.image[i].permute(1, 2, 0), dataset[number].image)
            np.testing.assert_array_equal(batch.truth.target[i, 0], dataset[number].target)
    assert torch.cat([batch.truth.sample_id for batch in batches]).unique().numel() == len(dataset)
    assert len(module(store, test_limit=1).datasets["test"]) == len(IDS)
    assert len(module(store, partial(ObjectsInImages, per_image=2)).datasets["test"]) == 2 * 4
    assert len(module(store, partial(ObjectsInImages, min_area=2)).datasets["test"]) == len(dataset) - 4


def test_lists_name_objects(store, tmp_path: Path):
    dataset = ObjectsInImages(Selection([store], "test"))
    numbers = [8, 2, 15]
    names = [dataset.name(number) for number in numbers]
    assert names[0] == f"s/a/1/{dataset[8].object_id}"
    listed = tmp_path / "list.txt"
    listed.write_text("# three\n" + "\n".join(names) + "\n")
    chosen = module(store, test_list=str(listed)).datasets["test"]
    assert [chosen.name(k) for k in range(len(chosen))] == names
    assert [chosen[k].image_id for k in range(3)] == [dataset[number].image_id for number in numbers]
    first = module(store, test_list=str(listed), test_limit=1).datasets["test"]
    assert [first.name(k) for k in range(len(first))] == names[1:2]
    windows = module(store, partial(ObjectWindows, side=16), test_list=str(listed)).datasets["test"]
    assert isinstance(windows, ObjectWindows)
    assert [windows.name(k) for k in range(len(windows))] == names
    with pytest.raises(DataError, match="1 of 2 listed objects are not in the data, 's/a/0/41' first; use"):
        ObjectsInImages(Selection([store], "test", names=["s/a/0/41", "s/a/0/7"]), min_area=2)


def test_regions_have_no_objects(tmp_path: Path):
    with pytest.raises(DataError, match="labels are regions"):
        ObjectsInImages(Selection([region_store(tmp_path / "r.h5")], "test"))

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import DistributedSampler

from tests.helpers.stores import ABOUT, IDS, instance_store, instances, picture, region_store
from zoo.data.datamodule import EpochSampler, PatchDataModule, open_stores
from zoo.data.datasets import WholeImages
from zoo.data.objects import ObjectWindows
from zoo.data.transforms import Augment
from zoo.errors import ConfigError, DataError, SplitError
from zoo.store.reader import Store, store_paths
from zoo.store.splits import check_splits, split_conflicts
from zoo.store.writer import StoreWriter

SMALL = partial(ObjectWindows, side=16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two stores: `a` with all splits, `b` with two test images."""
    folder = tmp_path_factory.mktemp("stores")
    instance_store(folder / "a.h5", ("x", "train", 2), ("y", "val", 1), ("z", "test", 1))
    instance_store(folder / "b.h5", ("w", "test", 2))
    return folder


def make(folder: Path, stage: str = "fit", **options: object) -> PatchDataModule:
    evaluated = options.pop("evaluated", SMALL)
    data = PatchDataModule(**({"files": [str(folder / "a.h5")], "train": SMALL, "batch_size": 5} | options))
    data.evaluated = evaluated
    data.setup(stage)
    return data


def two_groups(path: Path, *splits: tuple[str, str], **about: str) -> Store:
    """Groups of (patient, split)."""
    with StoreWriter(path, **(ABOUT | about)) as writer:
        for number, (patient, split) in enumerate(splits):
            name = f"g{number}"
            writer.add_group(name, picture(0)[None], instances()[None], slide=name, patient=patient, split=split)
    return Store(path)


def test_stages_open_what_they_need(folder):
    for stage, splits in {"fit": {"train", "val"}, "validate": {"val"}, "test": {"test"}, "predict": {"test"}}.items():
        data = make(folder, stage)
        assert set(data.datasets) == splits
        assert all(dataset.split == split for split, dataset in data.datasets.items())


def test_kinds_of_samples(folder):
    data = make(folder, train=WholeImages)
    assert isinstance(data.datasets["train"], WholeImages)
    assert isinstance(data.datasets["val"], ObjectWindows)
    data = make(folder, evaluated=WholeImages)
    assert isinstance(data.datasets["train"], ObjectWindows)
    assert isinstance(data.datasets["val"], WholeImages)


def test_options_reach_their_splits(folder):
    large = partial(ObjectWindows, side=20, min_area=2)
    options = {
        "train": partial(ObjectWindows, side=16, shift=3, min_area=2), "val": partial(large, per_image=3),
        "evaluated": partial(large, per_image=2), "augment": Augment(), "files": [str(folder / "*.h5")],
        "test_limit": 2,
    }  # fmt: skip
    data = make(folder, **options)
    data.setup("test")
    train, val, test = (data.datasets[split] for split in ("train", "val", "test"))
    assert [len(train), len(val), len(test)] == [2 * (len(IDS) - 1), 3, 2 * 2]
    assert [d.side for d in (train, val, test)] == [16, 20, 20]
    assert [d.shift for d in (train, val, test)] == [3, 0, 0]
    assert train.augment is not None
    assert val.augment is None
    assert test.augment is None
    assert [d.split for d in (train, val, test)] == ["train", "val", "test"]
    assert make(folder).datasets["val"].side == 16


def test_other_stores_for_testing(folder):
    options = {"evaluated": WholeImages, "test_files": [str(folder / "b.h5")]}
    assert len(make(folder, "test", **options).datasets["test"]) == 2
    assert len(make(folder, "fit", **options).datasets["val"]) == 1
    assert len(make(folder, "test", evaluated=WholeImages).datasets["test"]) == 1


def test_batches(folder):
    data = make(folder)
    train = list(data.train_dataloader())
    assert [len(batch) for batch in train] == [5, 5]  # full ones only: 12 samples
    assert [len(batch) for batch in data.val_dataloader()] == [5, 1]
    assert torch.cat([b.truth.sample_id for b in data.val_dataloader()]).tolist() == list(range(6))
    images = make(folder, "test", evaluated=WholeImages, files=[str(folder / "*.h5")])
    assert [len(batch) for batch in images.test_dataloader()] == [1, 1, 1]
    assert [len(batch) for batch in images.predict_dataloader()] == [1, 1, 1]


def test_two_workers_load_what_one_process_loads(folder):
    data = make(folder, "validate", num_workers=2, batch_size=4)
    together = list(data.val_dataloader())
    alone = list(make(folder, "validate", batch_size=4).val_dataloader())
    for one, other in zip(together, alone, strict=True):
        assert torch.equal(one.image, other.image)
        assert torch.equal(one.truth.instances, other.truth.instances)


def test_training_batches_change_with_the_epoch_and_the_seed(folder):
    def epochs(seed: int) -> list[list[int]]:
        loader = make(folder, seed=seed).train_dataloader()
        out = []
        for epoch in range(2):
            loader.sampler.set_epoch(epoch)
            out.append([int(i) for i in loader.sampler])
        return out

    first, second = epochs(0)
    assert sorted(first) == list(range(12))
    assert sorted(second) == list(range(12, 24))  # the epoch is in the index
    assert [i - 12 for i in second] != first
    assert epochs(0) == [first, second]
    assert epochs(1)[0] != first


@pytest.mark.parametrize("length", [12, 13])
def test_every_rank_has_other_samples(length):
    dataset = range(length)
    ranks = [EpochSampler(dataset, num_replicas=2, rank=rank, seed=3) for rank in range(2)]
    for epoch in range(3):
        for sampler in ranks:
            sampler.set_epoch(epoch)
        drawn = [[index - epoch * length for index in sampler] for sampler in ranks]
        assert len(drawn[0]) == len(drawn[1]) == length // 2
        assert len({*drawn[0], *drawn[1]} & {*range(length)}) == length // 2 * 2  # none twice, one may be left out


def test_the_order_is_the_distributed_samplers():
    ours, theirs = EpochSampler(range(9), 2, 1, seed=5), DistributedSampler(range(9), 2, 1, seed=5, drop_last=True)
    ours.set_epoch(4)
    theirs.set_epoch(4)
    assert [index - 4 * 9 for index in ours] == list(theirs)


def test_skipped_samples_are_missing_from_the_first_epoch_only():
    sampler = EpochSampler(range(10), 1, 0)
    every = list(sampler)
    sampler.skip = 4
    assert list(sampler) == every[4:]
    assert list(sampler) == every


def test_a_killed_training_goes_on_behind_what_it_has_seen(folder):
    data = make(folder)
    counts = SimpleNamespace(ready=1, started=1, processed=1, completed=0)
    progress = SimpleNamespace(current=counts, is_last_batch=False)
    loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress))
    every = list(data.train_dataloader().sampler)
    data.trainer = SimpleNamespace(world_size=1, global_rank=0, fit_loop=loop)
    assert list(data.train_dataloader().sampler) == every[5:]


def test_too_few_samples_for_a_batch(folder):
    with pytest.raises(DataError, match=r"12 training samples.*batch of 13.*batch_size"):
        make(folder, batch_size=13).train_dataloader()
    data = make(folder, batch_size=7)
    data.trainer = SimpleNamespace(world_size=2, global_rank=0)
    with pytest.raises(DataError, match="batch of 7"):  # a rank has 6
        data.train_dataloader()


def test_files_and_patterns(folder):
    assert [store.path.name for store in open_stores([str(folder / "b.h5"), str(folder / "*.h5")])] == ["a.h5", "b.h5"]
    with pytest.raises(DataError, match=r"gone-\*\.h5: no such file"):
        open_stores([str(folder / "a.h5"), str(folder / "gone-*.h5")])
    with pytest.raises(DataError, match=r"no stores.*`data\.files`"):
        make(folder, files=[])


def test_a_split_without_samples_is_an_error(folder):
    with pytest.raises(SplitError, match=r"b\.h5.*'train'.*files"):
        make(folder, files=[str(folder / "b.h5")])
    with pytest.raises(SplitError, match="'val'"):
        make(folder, "validate", evaluated=partial(SMALL, min_area=10_000))


def test_a_patient_in_two_splits_is_an_error(tmp_path):
    one = two_groups(tmp_path / "a.h5", ("anna", "train"), ("bert", "test"))
    check_splits([one])
    same = two_groups(tmp_path / "b.h5", ("anna", "train"), ("carl", "val"))
    check_splits([one, same])
    wrong = two_groups(tmp_path / "c.h5", ("anna", "test"))
    with pytest.raises(SplitError, match=r"'anna' is in 'train' \(.*a\.h5\) and in 'test' \(.*c\.h5, group 'g0'\)"):
        check_splits([one, wrong])
    with pytest.raises(SplitError, match="'anna'"):
        PatchDataModule([str(tmp_path / "?.h5")]).setup("test")
    with pytest.raises(SplitError, match="'dora'"):
        check_splits([two_groups(tmp_path / "d.h5", ("dora", "val"), ("dora", "test"))])


def test_patients_of_other_data_sets_and_fields_may_share_a_name(tmp_path):
    one = two_groups(tmp_path / "a.h5", ("1", "train"))
    check_splits([one, two_groups(tmp_path / "b.h5", ("1", "test"), dataset="Another")])
    fields = two_groups(tmp_path / "c.h5", ("1", "train"), ("1", "test"), split_unit="field")
    check_splits([fields])
    data = PatchDataModule([str(tmp_path / "c.h5")])
    data.evaluated = SMALL
    data.setup("test")
    assert len(data.datasets["test"]) == len(IDS)


def test_a_field_in_two_splits_is_an_error(tmp_path):
    for name, split in (("a", "train"), ("b", "val")):
        two_groups(tmp_path / f"{name}.h5", ("1", split), split_unit="field")
    with pytest.raises(SplitError, match=r"field 'g0' is in 'train' .*; a field belongs to one split"):
        PatchDataModule([str(tmp_path / "?.h5")]).setup("fit")


def test_regions(tmp_path):
    region_store(tmp_path / "r.h5")
    data = make(tmp_path, "test", files=[str(tmp_path / "r.h5")], evaluated=WholeImages)
    batches = list(data.test_dataloader())
    assert len(batches) == 2
    np.testing.assert_array_equal(batches[0].truth.ignore[0, 0, 30:], True)
    with pytest.raises(DataError, match="regions"):
        make(tmp_path, "test", files=[str(tmp_path / "r.h5")])


def test_every_conflict_is_told_once(tmp_path):
    one = two_groups(tmp_path / "a.h5", ("anna", "train"), ("bert", "test"), ("anna", "test"), ("anna", "test"))
    two = two_groups(tmp_path / "b.h5", ("bert", "val"), ("carl", "val"), ("anna", "val"), ("anna", "train"))
    conflicts = list(split_conflicts((store, info) for store in (one, two) for info in store.groups))
    assert [message.split(" (")[0] for message in conflicts] == [
        "patient 'anna' is in 'train'",
        "patient 'bert' is in 'test'",
        "patient 'anna' is in 'train'",
    ]


def test_folders_are_searched_and_brackets_in_names_are_no_pattern(tmp_path):
    for name in ("sub/b.h5", "a[1].h5", ".c.h5.12.tmp", "d.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert store_paths(str(tmp_path)) == [tmp_path / "a[1].h5", tmp_path / "sub" / "b.h5"]
    assert store_paths(str(tmp_path / "a[1].h5")) == [tmp_path / "a[1].h5"]
    assert store_paths(str(tmp_path / "**" / "*.h5")) == [tmp_path / "a[1].h5", tmp_path / "sub" / "b.h5"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: holds no"):
        store_paths(str(tmp_path / "empty"))


def test_images_of_unknown_resolution_get_the_one_that_is_given_for_them(tmp_path):
    """What a store says itself stays."""
    silent = instance_store(tmp_path / "silent.h5", ("a", "test", 1))
    says = instance_store(tmp_path / "says.h5", ("b", "test", 1), mpp=0.5)
    for given, seen in ((None, [None, 0.5]), (0.25, [0.25, 0.5])):
        data = PatchDataModule([str(silent.path), str(says.path)], image_mpp=given)
        data.evaluated = WholeImages
        data.setup("test")
        assert sorted((batch.mpp for batch in data.test_dataloader()), key=str) == sorted(seen, key=str)


def test_a_limit_below_one_image(folder):
    with pytest.raises(ConfigError, match=r"data\.test_limit 0: at least one image"):
        make(folder, "test", test_limit=0)

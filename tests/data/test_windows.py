"""Windows of regions: the grid, random places, shares, and lists of names."""

import pickle
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from tests.helpers.stores import ABOUT, instance_store, instances
from zoo.data.batch import collate
from zoo.data.datamodule import PatchDataModule, read_list
from zoo.data.datasets import Samples, Selection, WholeImages
from zoo.data.transforms import Augment
from zoo.data.windows import GridWindows, RandomWindows, RegionWindows, Share, steps
from zoo.errors import ConfigError, DataError, SplitError
from zoo.store.reader import Store
from zoo.store.schema import IGNORE
from zoo.store.writer import StoreWriter

HEIGHT, WIDTH, SIDE = 40, 56, 16


def whole(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """An image (40, 56, 3) of row, column and seed, and its label: a region to the left, ignored rows below."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    label = ((columns < 20) * 3).astype(np.uint8)
    label[-8:] = IGNORE
    return np.stack([rows, columns, np.full_like(rows, seed)], -1).astype(np.uint8), label


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two test images in one group, one in another, and one image to train and to validate."""
    path = tmp_path_factory.mktemp("windows") / "w.h5"
    with StoreWriter(path, **ABOUT, labels="region") as writer:
        for seed, (name, split, count) in enumerate(
            [("a", "test", 2), ("b", "test", 1), ("t", "train", 1), ("v", "val", 1)]
        ):
            images, labels = zip(*(whole(10 * seed + i) for i in range(count)), strict=True)
            writer.add_group(name, np.stack(images), np.stack(labels), slide=name, patient=name, split=split)
    return Store(path)


def corner(dataset: RegionWindows, index: int) -> tuple[int, int, int]:
    """Seed, x0 and y0 of a sample, read from its pixels."""
    y0, x0, seed = dataset[index].image[0, 0]
    return int(seed), int(x0), int(y0)


@given(st.integers(1, 60), st.integers(0, 80), st.integers(1, 70))
def test_steps_cover_an_axis_without_leaving_it(side, more, stride):
    length = side + more
    found = steps(length, side, stride)
    assert found[0] == 0
    assert found[-1] == length - side
    assert found == sorted(set(found))
    assert [start for start in found[:-1] if start % stride] == []
    gaps = np.diff(found)
    assert (gaps[:-1] == stride).all()
    assert (gaps <= stride).all()
    if stride <= side:
        covered = np.zeros(length, bool)
        for start in found:
            covered[start : start + side] = True
        assert covered.all()


def test_the_grid_moves_its_last_row_and_column_inside(store):
    dataset = GridWindows(Selection([store], "test"), SIDE, 16)
    # The row at 24 holds 8 rows that are not ignored; one at 32 would not fit.
    expected = [(seed, x0, y0) for seed in (0, 1, 10) for y0 in (0, 16, 24) for x0 in (0, 16, 32, 40)]
    assert [corner(dataset, n) for n in range(len(dataset))] == expected
    for number in (0, 5, 11, 30):
        sample, (seed, x0, y0) = dataset[number], expected[number]
        image, label = whole(seed)
        window = np.s_[y0 : y0 + SIDE, x0 : x0 + SIDE]
        np.testing.assert_array_equal(sample.image, image[window])
        np.testing.assert_array_equal(sample.target, label[window] == 3)
        np.testing.assert_array_equal(sample.ignore, label[window] == IGNORE)
        assert (sample.instances, sample.object_id, sample.sample_id) == (None, 0, number)
        assert sample.image_id == [0, 1, 10].index(seed)
        assert (dataset.describe(number)["x0"], dataset.describe(number)["y0"]) == (x0, y0)


def test_windows_without_a_valid_pixel_are_left_out(store):
    sides = [corner(GridWindows(Selection([store], "test"), 8, 8), n)[2] for n in range(4 * 7)]
    assert max(sides) == 24


@pytest.mark.parametrize(
    ("valid", "positive", "share", "allowed"),
    [
        (100, 7, Share(0.07, 1), True),  # 0.07 * 100 > 7 in floating point
        (100, 6, Share(0.07, 1), False),
        (10, 7, Share(0, 0.7), True),
        (10, 8, Share(0, 0.7), False),
        (100, 20, Share(0.2, 0.8), True),
        (100, 80, Share(0.2, 0.8), True),
        (5, 0, Share(), True),
        (5, 5, Share(1, 1), True),
        (0, 0, Share(), False),
    ],
)
def test_a_share_includes_its_limits_and_counts_what_is_not_ignored(valid, positive, share, allowed):
    label = np.full(120, IGNORE, np.uint8)
    label[:valid] = 0
    label[:positive] = 2
    assert share.allows(label.reshape(10, 12)) is allowed


@given(st.integers(1, 400), st.data())
def test_a_share_as_it_is_written(valid, data):
    positive = data.draw(st.integers(0, valid))
    label = np.zeros((1, valid), np.uint8)
    label[0, :positive] = 1
    written = positive / valid
    assert Share(written, written).allows(label)
    assert not Share(np.nextafter(written, 2), 1).allows(label) if written < 1 else True
    assert not Share(0, np.nextafter(written, -1)).allows(label) if written > 0 else True


@pytest.mark.parametrize("limits", [(-0.1, 1), (0, 1.1), (0.6, 0.5)])
def test_impossible_shares(limits):
    with pytest.raises(ConfigError, match=r"within 0\.\.1"):
        Share(*limits)


def test_a_share_chooses_windows_of_the_grid(store):
    dataset = GridWindows(Selection([store], "test"), SIDE, 16, min_positive=0.2, max_positive=0.8)
    # Of the columns at 0, 16, 32 and 40 only the one at 16 holds both.
    assert {corner(dataset, n)[1:] for n in range(len(dataset))} == {(16, 0), (16, 16), (16, 24)}


def test_random_windows_follow_number_and_epoch_and_nothing_else(store):
    dataset = RandomWindows(Selection([store], "test"), SIDE, per_image=40)
    assert len(dataset) == 120
    first = [corner(dataset, n) for n in range(120)]
    assert [seed for seed, *_ in first] == [0] * 40 + [1] * 40 + [10] * 40
    assert max(x for _, x, _ in first) > WIDTH - SIDE - 5
    assert all(0 <= x <= WIDTH - SIDE and 0 <= y <= HEIGHT - SIDE for _, x, y in first)
    again = pickle.loads(pickle.dumps(RandomWindows(Selection([store], "test"), SIDE, per_image=40)))
    assert [corner(again, n) for n in reversed(range(120))] == first[::-1]
    second = [corner(dataset, 120 + n) for n in range(120)]
    assert sum(one[1:] != two[1:] for one, two in zip(first, second, strict=True)) > 100
    assert [dataset.describe(n)["x0"] for n in range(120)] == [x for _, x, _ in first]


def test_random_windows_reach_every_place(store):
    dataset = RandomWindows(Selection([store], "train"), HEIGHT - 1, per_image=200)
    places = {corner(dataset, n)[1:] for n in range(200)}
    assert places == {(x, y) for x in range(WIDTH - HEIGHT + 2) for y in (0, 1)}


def test_two_workers_give_the_same_random_windows(store):
    dataset = RandomWindows(Selection([store], "test", Augment()), SIDE, per_image=3)
    order = [8, 3, 12, 0, 9 + 5, 4]
    expected = [dataset[index] for index in order]
    loaded = list(DataLoader(dataset, 2, sampler=order, num_workers=2, collate_fn=collate))
    images = np.concatenate([batch.image.permute(0, 2, 3, 1).numpy() for batch in loaded])
    targets = np.concatenate([batch.truth.target[:, 0].numpy() for batch in loaded])
    np.testing.assert_array_equal(images, np.stack([sample.image for sample in expected]))
    np.testing.assert_array_equal(targets, np.stack([sample.target for sample in expected]))


def test_random_windows_keep_to_the_share_where_a_place_does(store):
    share = Share(0.3, 0.7)
    dataset = RandomWindows(
        Selection([store], "test"), SIDE, per_image=60, min_positive=share.least, max_positive=share.most
    )
    kept = [share.allows(np.where(s.ignore, IGNORE, s.target)) for s in (dataset[n] for n in range(180))]
    # A place is right with a probability of about 1/7: 32 tries in vain are rare.
    assert np.mean(kept) > 0.97
    nowhere = RandomWindows(Selection([store], "test"), SIDE, per_image=3, min_positive=0.97, max_positive=0.99)
    assert len([nowhere[n] for n in range(9)]) == 9


def test_names_lead_back_to_the_same_windows(store, tmp_path):
    grid = GridWindows(Selection([store], "test"), SIDE, 8)
    numbers = [40, 3, 17, 29]
    names = [grid.name(n) for n in numbers]
    assert names[1] == "w/a/0/24,0"
    again = GridWindows(Selection([store], "test", names=names), SIDE, 8)
    assert [again.name(n) for n in range(4)] == names
    assert [corner(again, k) for k in range(4)] == [corner(grid, n) for n in numbers]
    assert [again[k].image_id for k in range(4)] == [grid[n].image_id for n in numbers]
    listed = tmp_path / "list.txt"
    listed.write_text("# four windows\n\n" + "\n".join(f" {name}" for name in names) + "\n")
    data = module(store, partial(GridWindows, side=SIDE, stride=8), test_list=str(listed))
    data.setup("test")
    dataset = data.datasets["test"]
    assert [dataset.describe(k) for k in range(4)] == [again.describe(k) for k in range(4)]
    assert len(dataset) == 4


def test_a_limit_keeps_the_first_images_that_a_list_names(store):
    grid = GridWindows(Selection([store], "test"), SIDE, 16)
    names = [grid.name(n) for n in (30, 13, 14)]  # images 2, 1, 1: none of image 0
    limited = GridWindows(Selection([store], "test", names=names, limit=1), SIDE, 16)
    assert [limited.name(n) for n in range(len(limited))] == names[1:]
    assert len(GridWindows(Selection([store], "test", limit=1), SIDE, 16)) == 12


def test_listed_windows_that_are_not_on_the_grid(store):
    names = [GridWindows(Selection([store], "test"), SIDE, 8).name(n) for n in (0, 1)]
    listed = Selection([store], "test", names=names)
    for options in ({"stride": 16}, {"stride": 8, "min_positive": 0.1, "max_positive": 0.9}):
        with pytest.raises(DataError, match=r"of 2 listed windows are not on the grid, 'w/a/0/\d+,0' first"):
            GridWindows(listed, SIDE, **options)
    with pytest.raises(ConfigError, match="grid"):
        RandomWindows(listed, SIDE)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "can't be read.*test_list"), ("# nothing\n\n", "names no window"), ("a\nb\na\n", "names a twice")],
)
def test_lists_that_are_of_no_use(tmp_path, content, message):
    path = tmp_path / "list.txt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_list(str(path))


def module(store: Store, evaluated: Samples, **options: object) -> PatchDataModule:
    train = partial(RandomWindows, side=SIDE, per_image=12)
    data = PatchDataModule([str(store.path)], **({"train": train, "batch_size": 4} | options))
    data.evaluated = evaluated
    return data


def test_the_datamodule_gives_random_windows_to_train_and_a_grid_to_evaluate(store):
    data = module(store, partial(GridWindows, side=20))
    data.setup("fit")
    data.setup("test")
    assert len(data.datasets["train"]) == 12
    assert len(data.datasets["val"]) == 3 * 5  # a stride of half a side
    batch = next(iter(data.train_dataloader()))
    assert batch.image.shape == (4, 3, SIDE, SIDE)
    sizes = {tuple(batch.image.shape[2:]) for batch in data.test_dataloader()}
    assert sizes == {(20, 20)}
    # The columns at 0, 20 and 36 hold all, nothing and nothing.
    with pytest.raises(SplitError, match="no samples"):
        module(store, partial(GridWindows, side=20, stride=20, min_positive=0.2, max_positive=0.8)).setup("test")
    assert data.patients("train") == {"Made up: t"}
    assert data.patients("test") == {"Made up: a", "Made up: b"}


@pytest.mark.parametrize("kind", [RandomWindows, partial(GridWindows, stride=8)])
def test_of_instances_all_objects_together_are_the_target(tmp_path, kind):
    dataset = kind(Selection([instance_store(tmp_path / "i.h5", ("x", "test", 1))], "test"), 8, min_positive=0.01)
    for number in range(len(dataset)):
        sample, place = dataset[number], dataset.describe(number)
        expected = instances()[place["y0"] : place["y0"] + 8, place["x0"] : place["x0"] + 8] > 0
        assert expected.any()
        np.testing.assert_array_equal(sample.target, expected)
        assert sample.instances is None
        assert not sample.ignore.any()


def test_wrong_options_are_named_errors(store, tmp_path):
    with pytest.raises(DataError, match=rf"'a': windows of {HEIGHT + 1} px do not fit images of {WIDTH}x{HEIGHT}"):
        GridWindows(Selection([store], "test"), HEIGHT + 1)
    for kind, wrong in ((GridWindows, {"side": 0}), (GridWindows, {"stride": 0}), (RandomWindows, {"per_image": 0})):
        with pytest.raises(ConfigError, match="at least 1"):
            kind(Selection([store], "test"), **({"side": 8} | wrong))
    listed = tmp_path / "list.txt"
    listed.write_text("w/a/0/0,0\n")
    with pytest.raises(DataError, match=r"1 of 1 listed images are not in the data, 'w/a/0/0,0' first; objects and"):
        module(store, WholeImages, test_list=str(listed)).setup("test")

"""Windows that are cut on the device: pixels that hold their own row and column tell where they come from."""

import math
import pickle
from functools import partial

import numpy as np
import pytest
import torch
import yaml

from tests.helpers.stores import ABOUT, HEIGHT, IDS, WIDTH, instance_store, instances, region_store
from tests.helpers.tiny import tiny_experiment
from tests.methods.test_nuclick import tiny
from zoo.cli import main
from zoo.data import Colours, PatchDataModule, ResidentWindows, Selection
from zoo.data.datasets import drawn_number
from zoo.data.resident import MOST, REGION_ZOOM
from zoo.data.transforms import Augment
from zoo.errors import ConfigError
from zoo.ops.draws import Draw
from zoo.store.reader import Store
from zoo.store.schema import IGNORE
from zoo.store.writer import StoreWriter

SIDE = 24


def windows(tmp_path, stores=None, side=SIDE, **arguments) -> ResidentWindows:
    stores = stores or [instance_store(tmp_path / "s.h5", ("a", "train", 3))]
    return ResidentWindows(Selection(stores, "train"), side, **arguments)


def wide_store(path, boxes: list[tuple[int, int, int, int]], labels: str = "instances") -> Store:
    """An image (200, 240) of its rows and columns with objects 1, 2 ... in boxes x0, y0, x1, y1."""
    rows, columns = np.mgrid[:200, :240]
    image = np.stack([rows, columns, rows * 0], -1).astype(np.uint8)
    label = np.zeros((200, 240), np.uint8 if labels == "region" else np.int32)
    for k, (x0, y0, x1, y1) in enumerate(boxes, 1):
        label[y0:y1, x0:x1] = k
    with StoreWriter(path, **ABOUT, labels=labels) as writer:
        writer.add_group("g", image[None], label[None], slide="s", patient="p", split="train")
    return Store(path)


def numbers(data: ResidentWindows, epochs: int = 1) -> torch.Tensor:
    return torch.arange(epochs * len(data))


def seen(image: torch.Tensor, ignore: torch.Tensor) -> tuple[np.ndarray, float]:
    """The affine map (3, 2) from u, v, 1 to x, y that a window's own pixels tell, and the worst residual."""
    v, u = np.mgrid[:SIDE, :SIDE] + 0.5 - SIDE / 2
    inside = ~ignore.numpy()
    known = np.stack([u[inside], v[inside], np.ones(inside.sum())], 1)
    place = np.stack([image[1].numpy()[inside], image[0].numpy()[inside]], 1) + 0.5
    fitted = np.linalg.lstsq(known, place, rcond=None)[0]
    return fitted, np.abs(known @ fitted - place).max()


def seen_scales(data: ResidentWindows, count: int) -> np.ndarray:
    """Window pixels per image pixel of the first so many samples."""
    batch = data.batch(torch.arange(count))
    maps = [seen(*pair)[0] for pair in zip(batch.image, batch.truth.ignore[:, 0], strict=True)]
    return np.array([abs(np.linalg.det(each[:2])) ** -0.5 for each in maps])


@pytest.mark.parametrize("of", ["image", "object"])
def test_pixels_and_labels_are_those_under_the_affine_map(tmp_path, of):
    limits = {"image": (0.6, 3.0), "object": (0.2, 0.8)}[of]
    data = windows(tmp_path, low=limits[0], high=limits[1], of=of, shift=0.3, per_image=40)
    batch, labels, mirrored = data.batch(numbers(data)), instances(), set()
    assert batch.image.shape == (120, 3, SIDE, SIDE)
    assert batch.image.dtype == torch.uint8
    for number in range(len(data)):

        def drawn(what: Draw, number=number) -> float:
            return drawn_number(number, 0, 0, what)

        item = int(drawn(Draw.RESIDENT_IMAGE) * 3)
        name = int(batch.truth.object_id[number])
        rows, columns = np.nonzero(labels == name)
        x0, x1, y0, y1 = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
        one, other = drawn(Draw.SCALE_ONE), drawn(Draw.SCALE_OTHER)
        if of == "image":
            scale = math.exp(np.interp((one + other) / 2, [0, 1], np.log(limits)))
        else:
            share = math.exp(np.interp(one, [0, 1], np.log(limits)))
            scale = max(min(share * SIDE / max(x1 - x0, y1 - y0), MOST), SIDE / max(HEIGHT, WIDTH))
        centre = [
            (low + high) / 2 + (2 * drawn(what) - 1) * 0.3 * SIDE / scale
            for low, high, what in ((x0, x1, Draw.OBJECT_SHIFT_X), (y0, y1, Draw.OBJECT_SHIFT_Y))
        ]
        angle = 2 * math.pi * drawn(Draw.RESIDENT_ANGLE)
        mirror = -1 if drawn(Draw.RESIDENT_MIRROR) < 0.5 else 1
        mirrored.add(mirror)
        v, u = np.mgrid[:SIDE, :SIDE] + 0.5 - SIDE / 2
        x = centre[0] + (mirror * u * math.cos(angle) - v * math.sin(angle)) / scale
        y = centre[1] + (mirror * u * math.sin(angle) + v * math.cos(angle)) / scale

        image = batch.image[number].numpy().astype(float)
        tolerance = 0.51 if scale > 0.5 else 1.6  # smaller levels hold the mean of two rows
        assert np.abs(image[0] - (y - 0.5).clip(0, HEIGHT - 1)).max() < tolerance
        assert np.abs(image[1] - (x - 0.5).clip(0, WIDTH - 1)).max() < tolerance
        assert (image[2] == item).all()
        sure = (np.abs(x - np.round(x)) > 1e-3) & (np.abs(y - np.round(y)) > 1e-3)
        outside = (x < 0) | (x >= WIDTH) | (y < 0) | (y >= HEIGHT)
        row, column = (np.floor(each).astype(int) for each in (y.clip(0, HEIGHT - 1), x.clip(0, WIDTH - 1)))
        shown = np.where(outside, 0, labels[row, column])
        assert np.array_equal(batch.truth.ignore[number, 0].numpy()[sure], outside[sure])
        assert np.array_equal(batch.truth.instances[number, 0].numpy()[sure], shown[sure])
        assert np.array_equal(batch.truth.target[number, 0].numpy()[sure], (shown == name)[sure])
    assert mirrored == {-1, 1}
    assert set(batch.truth.object_id.tolist()) == set(IDS)


def test_every_object_of_an_image_is_as_likely(tmp_path):
    data = windows(tmp_path, per_image=1000)
    counts = np.unique(data.batch(numbers(data)).truth.object_id, return_counts=True)[1]
    assert len(counts) == len(IDS)
    assert np.abs(counts / 3000 - 1 / len(IDS)).max() < 0.025


def test_the_object_is_in_its_window_however_far_it_is_moved(tmp_path):
    data = windows(tmp_path, low=1.5, high=6.0, shift=0.35, min_area=4, per_image=300)
    batch = data.batch(numbers(data))
    assert 41 not in batch.truth.object_id  # it has one pixel
    assert batch.truth.target.flatten(1).any(1).all()
    # Neither its place nor its side gives it away.
    mean = batch.truth.target.float().mean((0, 1))
    assert (mean > 0).float().mean() > 0.9


def test_a_number_and_an_epoch_give_the_same_in_any_batch(tmp_path):
    data = windows(tmp_path, per_image=10)
    together = data.batch(numbers(data, epochs=2))
    for index in ([3], [30 + 3, 5, 3], [59, 0]):
        part = data.batch(torch.tensor(index))
        assert torch.equal(part.image, together.image[index])
        assert torch.equal(part.truth.instances, together.truth.instances[index])
        assert torch.equal(part.truth.target, together.truth.target[index])
        assert part.truth.sample_id.tolist() == [each % 30 for each in index]
    assert not torch.equal(together.image[:30], together.image[30:])
    coloured = windows(tmp_path, [data.sources[0][0]], per_image=10, colours=Colours())
    assert torch.equal(coloured.batch(numbers(data, epochs=2)).truth.instances, together.truth.instances)
    assert not torch.equal(coloured.batch(numbers(data, epochs=2)).image, together.image)


def test_scales_of_images_lie_between_the_limits_and_mostly_in_the_middle(tmp_path):
    store = wide_store(tmp_path / "w.h5", [(110, 90, 130, 110)])
    logs = np.log(seen_scales(windows(tmp_path, [store], low=0.75, high=1.5, per_image=600), 600))
    assert logs.min() > np.log(0.75) - 0.02
    assert logs.max() < np.log(1.5) + 0.02
    assert abs(logs.mean() - np.log(0.75 * 1.5) / 2) < 0.03
    # A triangle's deviation is its base over the root of 24; a uniform distribution's is larger by the root of 2.
    assert logs.std() == pytest.approx(np.log(2) / np.sqrt(24), rel=0.1)


@pytest.mark.parametrize(("box", "uniform"), [((100, 90, 112, 96), True), ((60, 60, 160, 140), False)])
def test_scales_of_objects_are_shares_of_the_window(tmp_path, box, uniform):
    """A window is no wider than its image, though: the second object, of 100 px, takes 100 / 240 of it at least."""
    store, extent = wide_store(tmp_path / "w.h5", [box]), max(box[2] - box[0], box[3] - box[1])
    data = windows(tmp_path, [store], low=0.2, high=0.8, of="object", per_image=400, shift=0.0)
    shares = seen_scales(data, 400) * extent / SIDE
    lowest = max(0.2, extent / 240)
    assert shares.min() == pytest.approx(lowest, rel=0.05)
    assert shares.max() == pytest.approx(0.8, rel=0.05)
    if uniform:
        assert np.log(shares).std() == pytest.approx(np.log(4) / np.sqrt(12), rel=0.1)


def test_small_objects_are_not_enlarged_beyond_their_pixels(tmp_path):
    store = wide_store(tmp_path / "w.h5", [(100, 90, 102, 92)])
    data = windows(tmp_path, [store], low=0.9, high=0.9, of="object", per_image=20)
    assert seen_scales(data, 20) == pytest.approx(MOST, rel=0.05)


def test_windows_of_regions_hold_the_shorter_side_or_a_part_of_it(tmp_path):
    store = wide_store(tmp_path / "w.h5", [(20, 20, 180, 180)], labels="region")
    data = windows(tmp_path, [store], low=0.1, high=0.2, of="object", per_image=400, shift=0.0)
    assert data.batch(numbers(data)).truth.target.flatten(1).any(1).all()
    shown = SIDE / seen_scales(data, 400)
    assert shown.max() == pytest.approx(200, rel=0.05)
    assert shown.min() == pytest.approx(200 / REGION_ZOOM, rel=0.05)


def test_regions_and_instances_in_one_training(tmp_path):
    stores = [
        instance_store(tmp_path / "a.h5", ("a", "train", 2)),
        region_store(tmp_path / "b.h5", split="train"),
    ]
    data = windows(tmp_path, stores, low=1.0, high=2.0, per_image=60, shift=0.35)
    batch = data.batch(numbers(data))
    truth = batch.truth
    region = batch.image_id == 2  # image 3 has no region
    assert set(batch.image_id.tolist()) == {0, 1, 2}
    assert truth.object_id[region].unique().tolist() == [1]
    assert (truth.target == ((truth.instances == truth.object_id[:, None, None, None]) & ~truth.ignore)).all()
    # Both labels of the region are it; nothing else is an object; it is seen, and so is what is to be ignored.
    assert truth.instances[region].unique().tolist() == [0, 1]
    assert truth.target[region].flatten(1).any(1).all()
    rows = batch.image[region][:, 0]
    assert truth.ignore[region][:, 0][rows > 30].all()
    assert not (truth.others & truth.ignore).any()
    # Of instances, 255 is an id like any other.
    assert set(truth.object_id[~region].tolist()) == set(IDS)
    label = np.zeros((1, HEIGHT, WIDTH), np.int32)
    label[:, 5:30, 5:40] = IGNORE
    with StoreWriter(tmp_path / "c.h5", **ABOUT) as writer:
        image = np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)
        writer.add_group("g", image, label, slide="s", patient="p", split="train")
    only = windows(tmp_path, [Store(tmp_path / "c.h5")]).batch(torch.arange(10))
    assert only.truth.target.flatten(1).any(1).all()


@pytest.mark.parametrize(("balance", "share"), [(1.0, 0.1), (0.5, 0.25), (0.0, 0.5)])
def test_balance_between_images(tmp_path, balance, share):
    """One image has one object, the other nine; the empty one is never seen."""
    one, many = [(5, 5, 15, 15)], [(x, y, x + 8, y + 8) for x in (20, 60, 100) for y in (20, 60, 100)]
    stores = [wide_store(tmp_path / f"{k}.h5", boxes) for k, boxes in enumerate(([], one, many))]
    data = windows(tmp_path, stores, balance=balance, per_image=1000)
    assert len(data) == 3000
    shares = data.batch(numbers(data)).image_id.bincount(minlength=3) / 3000
    assert shares.tolist() == pytest.approx([0, share, 1 - share], abs=0.03)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"low": 0.0}, "low="),
        ({"low": 2.0, "high": 1.0}, "low="),
        ({"shift": -0.1}, "shift=-0.1"),
        ({"shift": 0.36}, "shift=0.36"),  # along both axes it could miss its object, at 45 degrees
    ],
)
def test_limits_that_are_none(tmp_path, wrong, said):
    with pytest.raises(ConfigError, match=said):
        windows(tmp_path, **wrong)


def test_nothing_to_train_with(tmp_path):
    with pytest.raises(ConfigError, match="no object of 500 px"):
        windows(tmp_path, min_area=500).batch(torch.arange(2))
    store = instance_store(tmp_path / "t.h5", ("a", "train", 1))
    with pytest.raises(ConfigError, match=r"give `colours`, and no `data\.augment`"):
        ResidentWindows(Selection([store], "train", Augment()))


def test_evaluation_is_refused(tmp_path):
    store = instance_store(tmp_path / "t.h5", ("a", "train", 1), ("b", "val", 1), ("c", "test", 1))
    module = PatchDataModule([str(store.path)], train=ResidentWindows)
    for stage, loader in (("validate", module.val_dataloader), ("test", module.test_dataloader)):
        module.setup(stage)
        with pytest.raises(ConfigError, match="are for training; validation and test need"):
            loader()
    with pytest.raises(ConfigError, match="made on the device"):
        windows(tmp_path)[0]


def test_other_processes_get_no_images(tmp_path):
    data = windows(tmp_path, per_image=10)
    before = data.batch(numbers(data))
    content = pickle.dumps(data)
    assert len(content) < 5000
    assert torch.equal(pickle.loads(content).batch(numbers(data)).image, before.image)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_step_of_training_from_the_datamodule(tmp_path, num_workers):
    store = instance_store(tmp_path / "t.h5", ("a", "train", 3), ("b", "val", 1))
    kind = partial(ResidentWindows, side=64, per_image=8, colours=Colours())
    module = PatchDataModule([str(store.path)], train=kind, batch_size=4, num_workers=num_workers)
    module.setup("fit")
    loader = module.train_dataloader()
    assert len(loader) == 6
    given = list(loader)
    assert sorted(torch.cat(given).tolist()) == list(range(24))
    batch = module.on_after_batch_transfer(given[0], 0)
    assert torch.equal(batch.truth.sample_id, given[0])
    assert module.on_after_batch_transfer(batch, 0) is batch
    method = tiny()
    method.log = lambda *_, **__: None
    loss = method.training_step(batch, 0)
    loss.backward()
    assert loss.isfinite()
    assert any(p.grad.abs().sum() > 0 for p in method.network.parameters())


def test_fit_from_an_experiment(tmp_path):
    path = tiny_experiment(tmp_path, limit_val_batches=0)
    content = yaml.safe_load(path.read_text())
    colours = {"class_path": "zoo.data.Colours", "init_args": {"strength": 0.5}}
    content["data"]["train"] = {
        "class_path": "zoo.data.ResidentWindows",
        "init_args": {"side": 32, "low": 0.3, "high": 0.9, "of": "object", "per_image": 8, "colours": colours},
    }
    path.write_text(yaml.safe_dump(content))
    assert main(["fit", "-c", str(path)]) == 0
    last = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert last["global_step"] == 3
    assert all(value.isfinite().all() for value in last["state_dict"].values())

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.helpers.fakes import Disks, NearestClick
from tests.helpers.user_reference import centroids
from zoo.data.batch import Batch
from zoo.evaluation.oneshot import InstanceMap, OneShotProtocol, click_objects
from zoo.inference.oneshot import OneShot
from zoo.interactions import Interactions
from zoo.metrics import score_instances
from zoo.users.base import SimulatedUser, Truth
from zoo.users.centroid import Centroid
from zoo.users.inside import RandomInside
from zoo.users.jitter import Jitter

CPU = torch.device("cpu")


def truth_of(labels: np.ndarray, sample_id: int = 0) -> Truth:
    instances = torch.from_numpy(labels.astype(np.int64))[None, None]
    return Truth(instances > 0, torch.tensor([sample_id]), instances, torch.tensor([0]))


def batch_of(*maps: np.ndarray) -> Batch:
    instances = torch.from_numpy(np.stack(maps).astype(np.int64))[:, None]
    ids = torch.arange(len(maps))
    image = torch.zeros(len(maps), 3, *maps[0].shape, dtype=torch.uint8)
    return Batch(image, Truth(instances > 0, ids + 30, instances, torch.zeros_like(ids)), ids)


def on_whole_masks(labels: np.ndarray) -> list[tuple[float, ...]]:
    """x, y, label, turn of a `Centroid` that sees each object's whole mask."""
    out = []
    for number in np.unique(labels[labels > 0]):
        mask = torch.from_numpy(labels == number)[None, None]
        said = Centroid()(
            torch.zeros_like(mask), Truth(mask, torch.tensor([0])), Interactions.empty(1, labels.shape), 0
        )
        out.append(tuple(said.points[0, 0].tolist()))
    return out


def clicks(said: Interactions) -> list[tuple[float, ...]]:
    assert (said.points[:, 1:, 2] < 0).all()
    return [tuple(row) for row in said.points[:, 0].tolist()]


@st.composite
def maps(draw: st.DrawFn) -> np.ndarray:
    """Rectangles over each other, some in corners, with arbitrary ids; parts may lie apart."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    labels = np.zeros((height, width), np.int64)
    for number in draw(st.lists(st.sampled_from([1, 2, 255, 256, 70_000, 2**31 - 1]), max_size=6)):
        row, column = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        labels[row : row + draw(st.integers(1, 40)), column : column + draw(st.integers(1, 40))] = number
    return labels


@settings(max_examples=80)
@given(maps(), st.integers(1, 4))
def test_objects_are_clicked_as_on_their_whole_masks(labels, chunk):
    said = click_objects(Centroid(), truth_of(labels), CPU, chunk)
    assert said.size == labels.shape
    assert clicks(said) == on_whole_masks(labels) if len(said) else not labels.any()


@settings(max_examples=120)
@given(maps(), st.sampled_from([Jitter(Centroid(), 1.0), Jitter(Centroid(), 20.0), RandomInside()]), st.integers(1, 4))
def test_random_clicks_are_those_on_whole_images(labels, user, chunk):
    """Whatever the object's size and place, and whatever objects are looked at with it."""
    said = click_objects(user, truth_of(labels), CPU, chunk)
    if not len(said):
        return
    ids = torch.from_numpy(np.unique(labels[labels > 0]))
    masks = torch.from_numpy(labels)[None, None] == ids[:, None, None, None]
    truth = Truth(masks, 100_003 * truth_of(labels).sample_id + torch.arange(len(ids)))
    nothing = Interactions.empty(len(ids), labels.shape)
    assert clicks(said) == clicks(user(torch.zeros_like(masks), truth, nothing, 0))
    assert (said.points[:, 0, :2] < torch.tensor(labels.shape[::-1])).all()


def test_clicks_are_centroids_worked_out_slowly():
    rows, columns = np.mgrid[:60, :80]
    labels = np.zeros((60, 80), np.int64)
    for number, (row, column) in zip([900, 3, 70_000], [(12, 14), (12, 27), (55, 79)], strict=True):
        labels[(rows - row) ** 2 + (columns - column) ** 2 <= 49] = number
    assert (labels[12, 13:28] > 0).all()  # the first two touch
    expected = centroids(labels, without=-1)
    said = click_objects(Centroid(), truth_of(labels), CPU)
    assert clicks(said) == [(*expected[number], 1.0, 0.0) for number in (3, 900, 70_000)]


def test_many_objects():
    labels = np.zeros((100, 120), np.int64)
    labels[::5, ::4] = np.arange(600).reshape(20, 30) * 7 + 2
    labels[1::5, ::4] = labels[::5, ::4]
    said = click_objects(Centroid(), truth_of(labels), CPU)
    assert len(said) == 600
    x, y = said.points[:, 0, 0].long().numpy(), said.points[:, 0, 1].long().numpy()
    assert labels[y, x].tolist() == [7 * i + 2 for i in range(600)]


class Watching(SimulatedUser):
    """Says what it was told: the sample's id as x."""

    def __call__(self, prediction: Tensor, truth: Truth, so_far: Interactions, turn: int) -> Interactions:
        self.seen = truth
        assert not prediction.any()
        return Centroid()(prediction, truth, so_far, turn)


def test_what_a_user_sees_of_an_object():
    labels = np.zeros((30, 40), np.int64)
    labels[2:8, 2:8], labels[2:8, 8:12], labels[20:23, 30:40] = 5, 900, 3
    user = Watching()
    click_objects(user, truth_of(labels, sample_id=4), CPU)
    seen = user.seen
    assert seen.object_id.tolist() == [3, 5, 900]
    for i, number in enumerate((3, 5, 900)):
        np.testing.assert_array_equal(seen.target[i], seen.instances[i] == number)
        assert seen.target[i].sum() == (labels == number).sum()
    assert (seen.instances[1] == 900).any()  # the neighbour is there too
    other = Watching()
    click_objects(other, truth_of(labels, sample_id=5), CPU)
    assert not set(seen.sample_id.tolist()) & set(other.seen.sample_id.tolist())
    chunked = Watching()
    click_objects(chunked, truth_of(labels, sample_id=4), CPU, chunk=1)
    assert chunked.seen.sample_id.tolist() == seen.sample_id.tolist()[-1:]


def two_maps() -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[:48, :64]
    one, two = np.zeros((48, 64), np.int64), np.zeros((48, 64), np.int64)
    for number, (row, column, radius) in enumerate([(10, 12, 5), (10, 24, 6), (40, 60, 8), (30, 30, 4)], 1):
        one[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = 1000 * number
    two[20:30, 20:36] = 7
    return one, two


def assembled(labels: np.ndarray, radius: float, exclusion: bool, window: int) -> np.ndarray:
    """What `Disks` makes of one click an object, one pixel at a time; the first object wins equal ones."""
    centres = [(x, y) for x, y, _, _ in on_whole_masks(labels)]
    out = np.zeros(labels.shape, np.int32)
    for number, (x, y) in enumerate(centres, 1):
        x0 = min(max(int(x) - window // 2, 0), labels.shape[1] - window)
        y0 = min(max(int(y) - window // 2, 0), labels.shape[0] - window)
        for row in range(y0, y0 + window):
            for column in range(x0, x0 + window):
                near = [np.hypot(column + 0.5 - u, row + 0.5 - v) <= radius for u, v in centres]
                inside = [x0 <= u < x0 + window and y0 <= v < y0 + window for u, v in centres]
                others = [n and i for k, (n, i) in enumerate(zip(near, inside, strict=True), 1) if k != number]
                excluded = exclusion and any(others)
                if near[number - 1] and not excluded and not out[row, column]:
                    out[row, column] = number
    return out


@pytest.mark.parametrize("exclusion", [True, False])
def test_predictions_are_scored_on_the_assembled_map(exclusion):
    targets = two_maps()
    protocol = OneShotProtocol(oneshot=OneShot(exclusion=exclusion))
    metric = protocol.metric()
    given = batch_of(*targets)
    outcome = protocol.run(Disks(8, window=32), given)
    protocol.score(metric, outcome, given)
    scores = {name: float(value) for name, value in metric.compute().items()}
    slow = [assembled(target, 8, exclusion, 32) for target in targets]
    assert (slow[0] > 0).sum() != (assembled(targets[0], 8, not exclusion, 32) > 0).sum()
    singles = []
    for each, target, expected in zip(outcome, targets, slow, strict=True):
        assert isinstance(each, InstanceMap)
        np.testing.assert_array_equal(each.prediction, expected)
        np.testing.assert_array_equal(each.target, target)
        singles.append(score_instances(expected, target))
        assert each.seconds > 0
    for name in ("aji", "pq", "sq", "dq", "dice", "hausdorff"):
        assert scores[name] == pytest.approx(np.mean([single[name] for single in singles]))
    assert scores["images"] == 2

    records = protocol.records(outcome, given)
    assert [record.score for record in records] == pytest.approx([single["aji"] for single in singles])
    assert [record.units for record in records] == [4, 1]
    assert [(record.sample_id, record.ious) for record in records] == [(30, ()), (31, ())]
    predictions = protocol.predictions(outcome)
    assert list(predictions) == [30, 31]
    np.testing.assert_array_equal(predictions[30], slow[0])


def test_an_image_does_not_depend_on_its_batch():
    targets = two_maps()
    protocol, engine = OneShotProtocol(), NearestClick(9, window=32)
    together = protocol.run(engine, batch_of(*targets))
    for target, each in zip(targets, together, strict=True):
        (alone,) = protocol.run(engine, batch_of(target))
        assert torch.equal(alone.prediction, each.prediction)


def test_an_image_without_objects():
    protocol = OneShotProtocol()
    metric = protocol.metric()
    given = batch_of(np.zeros((48, 64)))
    (found,) = protocol.run(Disks(8, window=32), given)
    protocol.score(metric, [found], given)
    assert not found.prediction.any()
    assert len(found.interactions) == 0
    assert float(metric.compute()["aji"]) == 1


def test_objects_keep_their_numbers_when_one_vanishes():
    labels = np.zeros((48, 64), np.int64)
    labels[10:12, 10:12], labels[10:12, 12:14], labels[30:34, 40:44] = 9, 4, 500
    outcome = OneShotProtocol().run(Disks(8, window=32), batch_of(labels))
    found = outcome[0].prediction.numpy()
    assert found[32, 42] == 3  # 4, 9 and 500 are the objects 1, 2 and 3

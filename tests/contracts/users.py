"""What every simulated user must do."""

from abc import abstractmethod
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from zoo.interactions import PADDING, Interactions
from zoo.ops.device import pure_torch
from zoo.users import SimulatedUser, Truth

SIZE = (40, 52)
BATCH = 6
SPARSE_IDS = (3, 70_000, 4, 2_000_000_000, 255, 256)


def some_truth() -> Truth:
    """Six samples of touching blobs with arbitrary ids, some at the image's edge; the last has no target."""
    rng = np.random.default_rng(7)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    instances = np.zeros((BATCH, 1, *SIZE), np.int64)
    for b in range(BATCH):
        for k, name in enumerate(SPARSE_IDS):
            row, column = (0, 20) if k == b else rng.integers(0, SIZE)
            height, width = rng.integers(4, 12, 2)
            blob = ((rows - row) / height) ** 2 + ((columns - column) / width) ** 2 <= 1
            instances[b, 0][blob] = name
    ids = torch.tensor(SPARSE_IDS)
    target = torch.from_numpy(instances) == ids[:, None, None, None]
    target[-1] = False
    sample_id = torch.tensor([11, 5, 2**40, 0, 7, 900])
    ignore = torch.zeros_like(target)
    ignore[2, 0, :6] = True
    return Truth(target, sample_id, torch.from_numpy(instances), ids, ignore, torch.arange(BATCH))


def some_prediction(truth: Truth) -> Tensor:
    """Each target moved by some pixels, so that all samples have errors of both signs."""
    prediction = truth.target.roll((3, -5), (2, 3))
    prediction[-1:, 0, 30:36, 3:9] = True
    return prediction


def given(interactions: Interactions, i: int) -> tuple[list[list[float]], list[list[int]]]:
    """What was said to sample i without padding: clicks, and indices of stroke pixels."""
    points = interactions.points[i]
    strokes = interactions.strokes
    return points[points[:, 2] >= 0].tolist(), [] if strokes is None else strokes[i].nonzero().tolist()


class UserContract:
    """Inherit it in a test class and give `make`.

    Attributes:
        corrective: whether the user reacts to the prediction, and so is silent when that is perfect.
        random: whether its words change with the step.
        needs_target: whether it is silent when the target is empty and nothing is predicted.
        tells_signs: whether its positive clicks lie on the target, and only there.
    """

    corrective = False
    random = False
    needs_target = True
    tells_signs = True

    @abstractmethod
    def make(self) -> SimulatedUser:
        """The user under test."""

    def say(self, truth: Truth, prediction: Tensor | None = None, turn: int = 0) -> Interactions:
        prediction = some_prediction(truth) if prediction is None else prediction
        so_far = Interactions.empty(len(truth), truth.size, truth.target.device)
        return self.make()(prediction, truth, so_far, turn)

    def test_form(self) -> None:
        truth = some_truth()
        new = self.say(truth, turn=3)
        assert len(new) == BATCH
        assert new.size == SIZE
        assert new.points.dtype == torch.float32
        said = new.points[..., 2] >= 0
        assert set(new.points[..., 2].unique().tolist()) <= {-1.0, 0.0, 1.0}
        assert (new.points[..., 3][said] == 3).all()
        assert new.points.isfinite().all()
        assert new.spoken[:-1].any()

    def test_inside_the_image_at_pixel_centres(self) -> None:
        for turn in range(4):
            points = self.say(some_truth(), turn=turn).points
            xy = points[points[..., 2] >= 0][:, :2]
            assert (xy >= 0).all()
            assert (xy < torch.tensor([SIZE[1], SIZE[0]])).all()
            assert torch.equal(xy, xy.floor() + 0.5)

    def test_signs(self) -> None:
        if not self.tells_signs:
            pytest.skip("this user may miss")
        truth = some_truth()
        new = self.say(truth)
        assert not (new.pixels(1) & ~truth.target[:, 0]).any()
        assert not (new.pixels(0) & truth.target[:, 0]).any()

    def test_batch_equals_single(self) -> None:
        truth = some_truth()
        together, prediction = self.say(truth), some_prediction(truth)
        for i in range(BATCH):
            one = torch.tensor([i])
            assert given(self.say(truth.select(one), prediction[one]), 0) == given(together, i)

    def test_order_of_the_batch(self) -> None:
        truth = some_truth()
        order = torch.tensor([4, 0, 5, 2, 1, 3])
        straight, shuffled = self.say(truth), self.say(truth.select(order), some_prediction(truth)[order])
        for position, i in enumerate(order.tolist()):
            assert given(shuffled, position) == given(straight, i)

    def test_no_samples(self) -> None:
        assert len(self.say(some_truth().select(torch.zeros(0, dtype=torch.long)))) == 0

    def test_accelerator_path(self) -> None:
        expected = self.say(some_truth())
        with pure_torch():
            new = self.say(some_truth())
        assert [given(new, i) for i in range(BATCH)] == [given(expected, i) for i in range(BATCH)]
        if torch.cuda.is_available():
            new = self.say(some_truth().to("cuda"))
            assert [given(new, i) for i in range(BATCH)] == [given(expected, i) for i in range(BATCH)]

    def test_repeats_itself(self) -> None:
        first, second = self.say(some_truth()), self.say(some_truth())
        assert torch.equal(first.points, second.points)

    def test_step_and_sample_change_random_words(self) -> None:
        truth = some_truth()
        words = []
        for step in range(4):
            later = self.say(replace(truth, step=truth.sample_id * 0 + step))
            words.append([given(later, i) for i in range(BATCH)])
        same = all(each == words[0] for each in words)
        assert same != self.random
        nothing = replace(truth, step=None)
        assert [given(self.say(nothing), i) for i in range(BATCH)] == words[0]
        if self.random:
            other = self.say(replace(truth, step=truth.sample_id * 0, sample_id=truth.sample_id + 1))
            assert [given(other, i) for i in range(BATCH)] != words[0]

    def test_empty_target(self) -> None:
        truth = some_truth()
        empty = replace(truth, target=torch.zeros_like(truth.target))
        new = self.say(empty, torch.zeros_like(truth.target))
        assert not (new.points[..., 2] == 1).any()
        if self.needs_target:
            assert not new.spoken.any()

    def test_full_target(self) -> None:
        truth = some_truth()
        full = Truth(torch.ones_like(truth.target), truth.sample_id)
        new = self.say(full, torch.zeros_like(truth.target))
        assert new.points.isfinite().all()
        assert not (new.points[..., 2] == 0).any()

    def test_perfect_prediction(self) -> None:
        if not self.corrective:
            pytest.skip("this user doesn't look at the prediction")
        truth = some_truth()
        new = self.say(truth, truth.target.clone())
        assert not new.spoken.any()
        assert (new.points[..., 2] == PADDING).all()

    def test_input_unchanged(self) -> None:
        truth = some_truth()
        prediction, so_far = some_prediction(truth), Interactions.empty(BATCH, SIZE)
        self.make()(prediction, truth, so_far, 0)
        assert torch.equal(prediction, some_prediction(truth))
        assert torch.equal(truth.target, some_truth().target)
        assert so_far.points.shape == (BATCH, 0, 4)

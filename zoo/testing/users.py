"""What every simulated user must do."""

from __future__ import annotations

from dataclasses import replace
from unittest import SkipTest

import numpy as np
import torch
from torch import Tensor

from zoo.interactions import PADDING, Interactions
from zoo.ops.device import pure_torch
from zoo.testing.comparing import assert_equal
from zoo.users import SimulatedUser, Truth

SIZE = (40, 52)
BATCH = 6
SPARSE_IDS = (3, 70_000, 4, 2_000_000_000, 255, 256)
Given = tuple[list[list[float]], list[list[int]]]
Word = tuple[Given, list[list[float]]]


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


def given(interactions: Interactions, i: int) -> Given:
    """What was said to sample i without padding: clicks, and indices of stroke pixels."""
    points = interactions.points[i]
    strokes = interactions.strokes
    return points[points[:, 2] >= 0].tolist(), [] if strokes is None else strokes[i].nonzero().tolist()


def _word(interactions: Interactions, i: int) -> Word:
    """All that was said to sample i: as `given`, and its boxes."""
    boxes = interactions.boxes[i]
    return given(interactions, i), boxes[boxes[:, 4] >= 0].tolist()


class UserContract:
    """Inherit it in a class `TestSomething` and give `make`.

    What it demands, and why:

    - New interactions of the batch's length and the image's size, their clicks at pixel centres inside the image and
      their boxes within it, with the turn they were asked for; padding where a sample is told nothing, which ends its
      session.
    - What a sample is told does not depend on its batch, on the device, or on how often it is asked. Results could not
      be repeated otherwise, and not compared between machines.
    - Randomness changes with the sample and the step, and comes from nowhere else (`zoo.ops.random`): each epoch trains
      with other clicks, and two samples are not clicked alike.
    - Positive clicks lie on the target and negative ones off it; nothing that is right is corrected, and where there is
      no target there is nothing to point at.
    - Prediction, truth and what was said before are only read.

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

    def make(self) -> SimulatedUser:
        """The user under test."""
        raise NotImplementedError(f"{type(self).__name__} has to give `make`, which builds the user under test")

    def say(self, truth: Truth, prediction: Tensor | None = None, turn: int = 0) -> Interactions:
        """What it says when nothing was said before; without a prediction, to one with errors of both signs."""
        prediction = some_prediction(truth) if prediction is None else prediction
        so_far = Interactions.empty(len(truth), truth.size, truth.target.device)
        return self.make()(prediction, truth, so_far, turn)

    def _words(self, truth: Truth) -> list[Word]:
        new = self.say(truth)
        return [_word(new, i) for i in range(len(truth))]

    def test_form(self) -> None:
        """A batch of interactions of this turn, float32 and finite, and not always silence."""
        new = self.say(some_truth(), turn=3)
        assert len(new) == BATCH, f"{BATCH} samples are told something, not {len(new)}"
        assert new.size == SIZE, f"interactions are of an image of {SIZE}, not {new.size}"
        assert new.points.dtype == torch.float32, f"points are float32, not {new.points.dtype}"
        said = new.points[..., 2] >= 0
        labels = set(new.points[..., 2].unique().tolist())
        assert labels <= {-1.0, 0.0, 1.0}, f"labels are 1, 0 and -1 for padding, not {labels}"
        assert (new.points[..., 3][said] == 3).all(), "clicks bear the turn that they were asked for in"
        boxes = new.boxes[..., 4]
        assert (boxes[boxes >= 0] == 3).all(), "boxes bear the turn that they were asked for in"
        assert new.points.isfinite().all(), "every value is finite"
        assert new.boxes.isfinite().all(), "every value is finite"
        assert new.spoken[:-1].any(), "somebody is told something"

    def test_inside_the_image_at_pixel_centres(self) -> None:
        """In every turn."""
        for turn in range(4):
            new = self.say(some_truth(), turn=turn)
            points = new.points
            x0, y0, x1, y1, when = new.boxes.unbind(-1)
            whole = (x0 >= 0) & (x0 < x1) & (x1 <= SIZE[1]) & (y0 >= 0) & (y0 < y1) & (y1 <= SIZE[0])
            assert whole[when >= 0].all(), "boxes lie inside the image, their far corner second"
            xy = points[points[..., 2] >= 0][:, :2]
            inside = ((xy >= 0) & (xy < torch.tensor([SIZE[1], SIZE[0]]))).all()
            assert inside, "clicks lie inside the image"
            assert torch.equal(xy, xy.floor() + 0.5), "clicks lie at pixel centres"

    def test_signs(self) -> None:
        """Positive on the target, negative off it."""
        if not self.tells_signs:
            raise SkipTest("this user may miss")
        truth = some_truth()
        new = self.say(truth)
        assert not (new.pixels(1) & ~truth.target[:, 0]).any(), "positive interactions lie on the target"
        assert not (new.pixels(0) & truth.target[:, 0]).any(), "negative interactions lie off the target"

    def test_batch_equals_single(self) -> None:
        """Each sample alone."""
        truth = some_truth()
        together, prediction = self.say(truth), some_prediction(truth)
        for i in range(BATCH):
            one = torch.tensor([i])
            alone = _word(self.say(truth.select(one), prediction[one]), 0)
            assert alone == _word(together, i), f"sample {i} is told alone what it is told in its batch"

    def test_order_of_the_batch(self) -> None:
        """Samples in another order."""
        self._check_part(torch.tensor([4, 0, 5, 2, 1, 3]))

    def test_compacted_batch(self) -> None:
        """Samples that go on when others have ended."""
        self._check_part(torch.tensor([3, 0, 4]))

    def _check_part(self, index: Tensor) -> None:
        truth = some_truth()
        every, part = self.say(truth), self.say(truth.select(index), some_prediction(truth)[index])
        for position, i in enumerate(index.tolist()):
            assert _word(part, position) == _word(every, i), f"sample {i} is told the same wherever it stands"

    def test_no_samples(self) -> None:
        """A batch of none is told nothing."""
        assert len(self.say(some_truth().select(torch.zeros(0, dtype=torch.long)))) == 0

    def test_accelerator(self) -> None:
        """What runs on an accelerator, on the CPU, and on a GPU where there is one: bit by bit."""
        expected = self._words(some_truth())
        with pure_torch():
            assert self._words(some_truth()) == expected, "the accelerator's way says what the CPU's says"
        if torch.cuda.is_available():
            assert self._words(some_truth().to("cuda")) == expected, "the GPU says what the CPU says"

    def test_repeats_itself(self) -> None:
        """The same twice, with randomness as it stands then."""
        first, second = self.say(some_truth()), self.say(some_truth())
        assert_equal(first.points, second.points, "a user who is asked twice says the same")
        assert_equal(first.boxes, second.boxes, "a user who is asked twice says the same")

    def test_step_and_sample_change_random_words(self) -> None:
        """And nothing else does; without a step it is step 0."""
        truth = some_truth()
        words = [self._words(replace(truth, step=truth.sample_id * 0 + step)) for step in range(4)]
        same = all(each == words[0] for each in words)
        assert same != self.random, f"words change with the step: random = {self.random} says otherwise"
        assert self._words(replace(truth, step=None)) == words[0], "no step is step 0"
        if self.random:
            other = replace(truth, step=truth.sample_id * 0, sample_id=truth.sample_id + 1)
            assert self._words(other) != words[0], "random words change with the sample's id"

    def test_empty_target(self) -> None:
        """There is nothing to point at."""
        truth = some_truth()
        empty = replace(truth, target=torch.zeros_like(truth.target))
        new = self.say(empty, torch.zeros_like(truth.target))
        assert not (new.points[..., 2] == 1).any(), "without a target no click is positive"
        if self.needs_target:
            assert not new.spoken.any(), "without a target and a prediction, needs_target = True means silence"

    def test_full_target(self) -> None:
        """The target is the image, and its instances are not known."""
        truth = some_truth()
        full = Truth(torch.ones_like(truth.target), truth.sample_id)
        new = self.say(full, torch.zeros_like(truth.target))
        assert new.points.isfinite().all(), "every value is finite"
        assert not (new.points[..., 2] == 0).any(), "where all is target no click is negative"

    def test_perfect_prediction(self) -> None:
        """There is nothing to correct."""
        if not self.corrective:
            raise SkipTest("this user doesn't look at the prediction")
        truth = some_truth()
        new = self.say(truth, truth.target.clone())
        assert not new.spoken.any(), "a perfect prediction is not corrected"
        assert (new.points[..., 2] == PADDING).all(), "silence is padding"
        assert (new.boxes[..., 4] == PADDING).all(), "silence is padding"

    def test_input_unchanged(self) -> None:
        """Prediction, truth and what was said are only read."""
        truth = some_truth()
        prediction, so_far = some_prediction(truth), Interactions.empty(BATCH, SIZE)
        self.make()(prediction, truth, so_far, 0)
        assert_equal(prediction, some_prediction(some_truth()), "the prediction is not changed in place")
        assert_equal(truth.target, some_truth().target, "the target is not changed in place")
        assert so_far.points.shape == (BATCH, 0, 4), "what was said so far is not changed in place"

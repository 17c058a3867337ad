import numpy as np
import torch
from scipy import ndimage
from skimage.morphology import skeletonize

from zoo.interactions import Interactions
from zoo.ops.draws import Draw
from zoo.testing.users import BATCH, SIZE, UserContract, some_prediction, some_truth
from zoo.users import SimulatedUser, Squiggle
from zoo.users.draws import draw


class TestRandomThreshold(UserContract):
    random = True

    def make(self) -> SimulatedUser:
        return Squiggle()

    def test_against_reference(self) -> None:
        truth = some_truth()
        assert truth.ignore is not None
        strokes = self.say(truth).strokes
        assert strokes is not None
        u = draw(truth, 0, Draw.THRESHOLD)
        for i in range(BATCH - 1):
            target = (truth.target & ~truth.ignore)[i, 0].numpy()
            distance = ndimage.distance_transform_edt(np.pad(target, 1))[1:-1, 1:-1]
            tau = float(u[i]) * (distance[target].mean() + distance[target].std())
            np.testing.assert_array_equal(strokes[i, 0].numpy(), skeletonize(target & (distance > tau)))
            assert strokes[i, 0].any()
            assert not strokes[i, 1].any()


class TestWholeSkeleton(UserContract):
    def make(self) -> SimulatedUser:
        return Squiggle("none")

    def test_against_reference(self) -> None:
        truth = some_truth()
        assert truth.ignore is not None
        strokes = self.say(truth).strokes
        assert strokes is not None
        for i in range(BATCH):
            expected = skeletonize((truth.target & ~truth.ignore)[i, 0].numpy())
            np.testing.assert_array_equal(strokes[i, 0].numpy(), expected)


def test_every_target_gets_a_stroke() -> None:
    # All patterns of 3 x 3 pixels, among them those that thinning could remove altogether.
    numbers = torch.arange(1, 512)
    target = torch.zeros(511, 1, 5, 5, dtype=torch.bool)
    target[:, 0, 1:4, 1:4] = (numbers[:, None] >> torch.arange(9) & 1).bool().view(-1, 3, 3)
    truth = some_truth().select(torch.zeros(511, dtype=torch.long))
    truth = type(truth)(target, numbers)
    for threshold in ("random", "none"):
        new = Squiggle(threshold)(target, truth, Interactions.empty(511, (5, 5)), 0)
        assert new.spoken.all()


def test_random_squiggles_are_shorter() -> None:
    truth = some_truth()
    arguments = (some_prediction(truth), truth, Interactions.empty(BATCH, SIZE), 0)
    random, whole = Squiggle()(*arguments).strokes, Squiggle("none")(*arguments).strokes
    assert random is not None
    assert whole is not None
    assert random.sum() < whole.sum()

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.helpers.regions import TinyNet
from zoo.encoders import Boxes, Concat, Disks
from zoo.errors import ConfigError
from zoo.interactions import Interactions
from zoo.methods import RITM
from zoo.testing.users import BATCH, SIZE, UserContract, some_prediction, some_truth
from zoo.users import BoxAround, SimulatedUser, Truth


def reference(mask: np.ndarray) -> list[int]:
    """x0, y0, x1, y1 of the True pixels of (H, W)."""
    rows, columns = np.nonzero(mask)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


class TestBoxAround(UserContract):
    def make(self) -> SimulatedUser:
        return BoxAround()

    def test_against_reference(self) -> None:
        truth = some_truth()
        assert truth.ignore is not None
        new = self.say(truth, turn=2)
        assert new.points.shape == (BATCH, 0, 4)
        for i in range(BATCH - 1):
            counted = (truth.target & ~truth.ignore)[i, 0].numpy()
            assert new.boxes[i].tolist() == [[*reference(counted), 2]]
        assert not new.spoken[-1]

    def test_what_is_ignored_is_not_in_the_box(self) -> None:
        truth = some_truth()
        touched = replace(truth, ignore=torch.zeros_like(truth.target))
        assert truth.ignore is not None
        assert (truth.ignore & truth.target)[2].any()
        assert self.say(truth).boxes[2, 0, 1] > self.say(touched).boxes[2, 0, 1]

    def test_it_does_not_look_at_the_prediction(self) -> None:
        truth = some_truth()
        assert torch.equal(self.say(truth, truth.target).boxes, self.say(truth).boxes)


class TestMovedBoxes(UserContract):
    random = True

    def make(self) -> SimulatedUser:
        return BoxAround(jitter=0.3)


def test_edges_are_moved_by_a_share_of_the_box() -> None:
    target = torch.zeros(1000, 1, 60, 100, dtype=torch.bool)
    target[:, 0, 20:40, 30:70] = True
    truth = Truth(target, torch.arange(1000))
    nothing = Interactions.empty(1000, (60, 100))
    box = BoxAround(0.1)(target, truth, nothing, 0).boxes[:, 0, :4]
    moves = (box - torch.tensor([30.0, 20.0, 70.0, 40.0])) / torch.tensor([40.0, 20.0, 40.0, 20.0])
    assert moves.abs().max() <= 0.1
    assert moves.amin(0).max() < -0.095
    assert moves.amax(0).min() > 0.095
    assert moves.mean(0).abs().max() < 0.006
    assert (torch.corrcoef(moves.T) - torch.eye(4)).abs().max() < 0.12


def test_the_images_edge_is_the_limit() -> None:
    truth = Truth(torch.ones(200, 1, *SIZE, dtype=torch.bool), torch.arange(200))
    box = BoxAround(0.2)(truth.target, truth, Interactions.empty(200, SIZE), 0).boxes[:, 0, :4]
    whole = torch.tensor([0.0, 0.0, SIZE[1], SIZE[0]])
    assert (box[:, :2] >= 0).all()
    assert (box <= whole.maximum(box.new_tensor([SIZE[1], SIZE[0]] * 2))).all()
    assert 0.3 < (box == whole).float().mean() < 0.7


@pytest.mark.parametrize("jitter", [-0.1, 0.5])
def test_arguments(jitter: float) -> None:
    with pytest.raises(ConfigError, match=f"jitter={jitter}"):
        BoxAround(jitter)


def test_it_gives_boxes() -> None:
    assert BoxAround().gives == "box"
    truth = some_truth()
    said = BoxAround()(some_prediction(truth), truth, Interactions.empty(BATCH, SIZE), 0)
    assert said.with_box_centres().points.shape == (BATCH, 1, 4)


def test_in_training_a_box_is_a_click_for_encoders_that_read_none():
    truth = some_truth()
    image = torch.zeros(BATCH, 3, *SIZE)
    for encoder, columns in ((Disks(radius=2), 1), (Concat([Disks(radius=2), Boxes()]), 0)):
        method = RITM(TinyNet(4 + encoder.out_channels), encoder=encoder, user=BoxAround(), turns=[1.0])
        said, _ = method.simulate(image, truth)
        assert said.points.shape[1] == columns
        assert method.guide(said, image).flatten(1).any(1).tolist() == said.spoken.tolist()
